import { WslbError } from '../core/errors.ts'
import { addressUrl } from './address-url.ts'
import { certificateFor } from './certificate.ts'
import { Listener, type ListenerAddress, type ListenerHandlers } from './listener.ts'
import { type Certificate, type ClientLimits, type ListenerOptions } from './options.ts'

interface Wanted {
  readonly listener: Listener
  readonly options: ListenerOptions
  readonly certificate: Certificate | undefined
}

/** All listeners of a balancer, changed by difference. */
export class Listeners {
  readonly #handlers: ListenerHandlers
  #open: readonly Listener[] = []
  /** No longer accepting, but perhaps with connections still open. */
  readonly #retired = new Set<Listener>()
  #closed = false

  constructor(handlers: ListenerHandlers) {
    this.#handlers = handlers
  }

  get addresses(): ListenerAddress[] {
    return this.#open.map((listener) => listener.address)
  }

  /** Open client sockets. */
  get connections(): number {
    return [...this.#open, ...this.#retired].reduce((sum, { connections }) => sum + connections, 0)
  }

  /** What {@link prepare} and the change would do, as urls; nothing where none is open. */
  plan(all: readonly ListenerOptions[]): { added: string[]; removed: string[] } {
    if (this.#open.length === 0) return { added: [], removed: [] }
    const left = new Set(this.#open)
    const added = all.filter((options) => {
      const listener = [...left].find((one) => sameAddress(one.options, options))
      return !listener || !left.delete(listener)
    })
    return {
      added: added.map(urlOf),
      // One that makes room for another has no address, but then it has a port of its own.
      removed: [...left].map((one) => urlOf({ ...one.options, port: one.options.port || one.address.port })),
    }
  }

  /**
   * Opens what is new, beside what is there.
   * @returns makes the change: certificates are swapped, and listeners that are no longer wanted stop accepting
   * @throws WslbError `WSLB_LISTEN`, `WSLB_CLOSED`; then everything is as it was
   */
  async prepare(all: readonly ListenerOptions[], limits: ClientLimits): Promise<() => void> {
    const left = new Set(this.#open)
    const wanted: Wanted[] = []
    const opened: Listener[] = []
    const paused: Listener[] = []
    const rollback = async () => {
      for (const listener of opened) {
        listener.close()
        listener.destroyConnections()
      }
      if (!this.#closed) for (const listener of paused) await listener.reopen()
    }
    try {
      for (const options of all) {
        const certificate = options.tls && (await certificateFor(options.tls, options.host))
        let listener = [...left].find((one) => sameAddress(one.options, options))
        if (listener) left.delete(listener)
        else opened.push((listener = await this.#openBeside(left, options, limits, paused)))
        wanted.push({ listener, options, certificate })
      }
      if (this.#closed) throw new WslbError('WSLB_CLOSED', 'the balancer was closed meanwhile')
    } catch (error) {
      await rollback()
      throw error
    }
    return () => this.#commit(wanted, left, limits)
  }

  /** Where the new listener needs the port of one that is to go (`http` becomes `https`), that one makes room. */
  async #openBeside(
    leaving: ReadonlySet<Listener>,
    options: ListenerOptions,
    limits: ClientLimits,
    paused: Listener[],
  ): Promise<Listener> {
    const inTheWay = [...leaving].find(({ options: { port } }) => port !== 0 && port === options.port)
    if (inTheWay && !paused.includes(inTheWay)) {
      inTheWay.close()
      paused.push(inTheWay)
    }
    return Listener.open(options, limits, this.#handlers)
  }

  #commit(wanted: readonly Wanted[], left: ReadonlySet<Listener>, limits: ClientLimits): void {
    this.#open = wanted.map(({ listener }) => listener)
    for (const { listener, options, certificate } of wanted) {
      listener.reconfigure(options, certificate)
      listener.setLimits(limits)
    }
    for (const listener of left) this.#retire(listener)
    // Closed since they were prepared.
    if (this.#closed) this.close()
  }

  #retire(listener: Listener): void {
    listener.close()
    for (const retired of this.#retired) if (retired.connections === 0) this.#retired.delete(retired)
    this.#retired.add(listener)
  }

  /** Stops accepting; open connections go on. */
  close(): void {
    this.#closed = true
    for (const listener of this.#open) this.#retire(listener)
    this.#open = []
  }

  /** Closes the keep-alive connections of retired listeners that wait for another request. */
  closeIdle(): void {
    for (const listener of this.#retired) listener.closeIdle()
  }

  destroyConnections(): void {
    for (const listener of this.#retired) listener.destroyConnections()
  }
}

/** As the config has it. */
export function urlOf({ tls, host, port }: ListenerOptions): string {
  return addressUrl(tls ? 'https' : 'http', host, port)
}

/** Plain and TLS on one port are two listeners. */
function sameAddress(a: ListenerOptions, b: ListenerOptions): boolean {
  return a.host === b.host && a.port === b.port && (a.tls === undefined) === (b.tls === undefined)
}
