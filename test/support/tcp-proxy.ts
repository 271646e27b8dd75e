import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Scope } from './balancer.ts'

/** What a link does to the bytes of one direction. */
export interface Direction {
  /**
   * Nothing passes, not even the end of a connection, and connections stay open. What was sent meanwhile comes once it is
   * healed: TCP sends it again until it does, and no stream ever has a hole.
   */
  readonly cut?: boolean
  /** Milliseconds that everything takes. @default 0 */
  readonly delay?: number
}

export interface Link {
  /** Towards the server. */
  readonly up: Direction
  readonly down: Direction
}

/** @param source the address that a client connects from */
export type Links = (source: string) => Link

const OPEN: Link = { up: {}, down: {} }

/** Stands before a server's port, and makes the network between it and its clients fail. */
export class TcpProxy {
  readonly #server: Server
  readonly #target: number
  readonly #connections = new Set<Connection>()
  #links: Links = () => OPEN

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client))
  }

  /** @param target the server's port; nobody need listen there yet */
  static async start(t: Scope, target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    t.teardown(() => proxy.#stop())
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How it is from now on, also for connections that are open. Who connects while it is cut waits. */
  shape(links: Links): void {
    this.#links = links
    for (const connection of this.#connections) connection.shape(links(connection.source))
  }

  /** Closes all connections: the ends that are cut off do not hear of it. */
  close(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #accept(client: Socket): void {
    const source = client.remoteAddress ?? ''
    const connection = new Connection(client, source, this.#target, this.#links(source))
    this.#connections.add(connection)
    connection.closed.then(() => this.#connections.delete(connection))
  }

  async #stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.close()
    await closed
  }
}

class Connection {
  readonly source: string
  readonly closed: Promise<unknown>
  readonly #client: Socket
  readonly #target: number
  #server: Socket | undefined
  #flows: readonly [up: Flow, down: Flow] | undefined

  constructor(client: Socket, source: string, target: number, link: Link) {
    this.source = source
    this.#client = client
    this.#target = target
    client.on('error', () => {})
    client.pause()
    this.closed = new Promise((resolve) => client.once('close', resolve))
    this.shape(link)
  }

  shape({ up, down }: Link): void {
    if (!this.#flows && !up.cut && !down.cut) this.#dial()
    this.#flows?.[0].shape(up)
    this.#flows?.[1].shape(down)
  }

  destroy(): void {
    this.#client.destroy()
    this.#server?.destroy()
    for (const flow of this.#flows ?? []) flow.stop()
  }

  #dial(): void {
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.#server = server
    this.#client.setNoDelay(true)
    server.on('error', () => {})
    this.#flows = [new Flow(this.#client, server), new Flow(server, this.#client)]
  }
}

/** The bytes of one direction, in their order, and then the end. */
class Flow {
  readonly #from: Socket
  readonly #to: Socket
  readonly #waiting: { readonly at: number; readonly pass: () => void }[] = []
  #direction: Direction = {}
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
    from.on('data', (chunk: Buffer) => this.#pass(() => to.writable && to.write(chunk)))
    from.on('end', () => this.#pass(() => to.end()))
    from.on('close', () => this.#pass(() => to.destroy()))
    from.resume()
  }

  shape(direction: Direction): void {
    this.#direction = direction
    // What is held back stays with the sender, whose own buffers fill.
    if (direction.cut) this.#from.pause()
    else this.#from.resume()
    this.#flush()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#waiting.length = 0
  }

  #pass(pass: () => void): void {
    this.#waiting.push({ at: performance.now() + (this.#direction.delay ?? 0), pass })
    this.#flush()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    if (this.#direction.cut) return
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const wait = next.at - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#flush(), wait)
        return
      }
      this.#waiting.shift()
      next.pass()
    }
  }
}
