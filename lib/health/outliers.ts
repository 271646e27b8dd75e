import { addressPrefix } from '../core/address-prefix.ts'
import { type Backend } from '../core/backend.ts'
import { type OpenTunnel } from './early-closes.ts'
import { type EjectionOptions } from './ejection-options.ts'
import { Ejections, type EjectionsDependencies } from './ejections.ts'
import { Outlier, type Work } from './outlier.ts'

export interface OutliersDependencies extends EjectionsDependencies {
  /** The open WebSockets of a backend. */
  readonly tunnelsOf: (backend: Backend) => readonly OpenTunnel[]
}

/** No answer has come. */
export interface Failure {
  readonly reason: string
  /** The address of the client. */
  readonly client: string
  /** Not even a connection has come about: no client has a hand in that. */
  readonly isUnreachable: boolean
}

/** How a WebSocket ended. */
export interface TunnelConduct {
  /** Milliseconds since the `101`. */
  readonly age: number
  /** The address of the client. */
  readonly client: string
  /** What the backend did wrong, if it did. */
  readonly fault: string | undefined
  /** By a closing handshake of the two peers. */
  readonly isGraceful: boolean
}

/**
 * Finds backends whose traffic fails although their probe says that they are well, and has them ejected. As long as the
 * probe fails too, health has them in hand, and nothing is counted here.
 */
export class Outliers {
  readonly #deps: OutliersDependencies
  readonly #ejections: Ejections
  readonly #outliers = new Map<Backend, Outlier>()
  readonly #failingProbes = new Set<Backend>()
  #options: EjectionOptions | undefined

  /** @param options `undefined`: nobody is ejected */
  constructor(pool: string, options: EjectionOptions | undefined, deps: OutliersDependencies) {
    this.#deps = deps
    this.#ejections = new Ejections(pool, deps)
    this.#options = options
  }

  /** New options count from the next failure on; without any, everybody is readmitted. */
  set options(options: EjectionOptions | undefined) {
    this.#options = options
    if (options) return
    this.#ejections.readmitAll()
    this.#outliers.clear()
  }

  /** The head of an answer has come. */
  answered(backend: Backend, work: Work, status: number, client: string): void {
    if (!this.#options) return
    // What a backend says to an upgrade instead of the `101` may be right or wrong.
    if (work === 'request' || status === 101) this.served(backend, work)
    if (this.#options.errors) this.#count(backend, status >= 500, client)
  }

  /** It has done as it was asked. */
  served(backend: Backend, work: Work): void {
    this.#outliers.get(backend)?.succeeded(work)
  }

  /** No answer has come: no connection, none in time, or it was cut. */
  failed(backend: Backend, work: Work, { reason, client, isUnreachable }: Failure): void {
    if (!this.#counts(backend)) return
    const network = isUnreachable ? undefined : networkOf(client)
    this.#of(backend).failed(work, this.#deps.clock.now(), reason, network)
    this.#count(backend, true, client)
    if (backend.health === 'up') this.#judge(backend)
  }

  tunnelEnded(backend: Backend, { age, client, fault, isGraceful }: TunnelConduct): void {
    const earlyClose = this.#options?.earlyClose
    if (!earlyClose || !this.#counts(backend)) return
    const now = this.#deps.clock.now()
    if (fault !== undefined && age < earlyClose) {
      this.#of(backend).early.add(networkOf(client), age, now, `${fault} after ${Math.round(age)} ms`)
      if (backend.health === 'up') this.#judge(backend)
    } else if (isGraceful || age >= earlyClose) this.#outliers.get(backend)?.early.held(now - age)
  }

  /**
   * A probe has found out how it is. After a failure of traffic the backend is suspect, and whether its probe agrees is known
   * only then. An outage that the probe has seen explains what failed in it, and ends what was held against the backend.
   */
  probed(backend: Backend, isWell: boolean): void {
    if (!isWell) {
      this.#failingProbes.add(backend)
      this.#outliers.get(backend)?.reset()
    } else if (this.#failingProbes.delete(backend)) this.#ejections.readmit(backend)
    else if (this.#counts(backend)) this.#judge(backend)
  }

  /** It has left the pool. */
  forget(backend: Backend): void {
    this.#outliers.delete(backend)
    this.#failingProbes.delete(backend)
    this.#ejections.forget(backend)
  }

  /** Cancels every timer. */
  stop(): void {
    this.#ejections.stop()
  }

  #counts(backend: Backend): boolean {
    if (!this.#options || this.#failingProbes.has(backend)) return false
    return backend.ejectedUntil === undefined && backend.adminState === 'active'
  }

  #of(backend: Backend): Outlier {
    let outlier = this.#outliers.get(backend)
    if (!outlier) this.#outliers.set(backend, (outlier = new Outlier()))
    return outlier
  }

  #count(backend: Backend, isError: boolean, client: string): void {
    const { errors } = this.#options!
    if (!errors || !this.#counts(backend)) return
    const now = this.#deps.clock.now()
    const answers = this.#of(backend).answers(errors.window)
    if (!isError) return answers.good(now)
    const share = answers.error(networkOf(client), errors, now)
    if (share === undefined || share < errors.share || backend.health !== 'up') return
    this.#eject(backend, `${Math.round(share * 100)} % of its answers are errors`)
  }

  #judge(backend: Backend): void {
    const { failures } = this.#options!
    const witnesses = () => this.#deps.tunnelsOf(backend)
    const reason = this.#outliers.get(backend)?.verdict(failures, witnesses, this.#deps.clock.now())
    if (reason !== undefined) this.#eject(backend, reason)
  }

  #eject(backend: Backend, reason: string): void {
    // Where the pool cannot spare it, as many failures must come again.
    this.#of(backend).reset()
    this.#ejections.eject(backend, reason, this.#options!)
  }
}

/** A host changes its IPv6 address within its /64 as it likes: all of them are one client. */
function networkOf(address: string): string {
  return addressPrefix(address, { v4: 32, v6: 64 }) ?? address
}
