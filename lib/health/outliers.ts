import { type Backend } from '../core/backend.ts'
import { type EjectionOptions } from './ejection-options.ts'
import { Ejections, type EjectionsDependencies } from './ejections.ts'
import { type OpenTunnel, Outlier, type Work } from './outlier.ts'

export interface OutliersDependencies extends EjectionsDependencies {
  /** The open WebSockets of a backend. */
  readonly tunnelsOf: (backend: Backend) => readonly OpenTunnel[]
}

/** How a WebSocket ended. */
export interface TunnelConduct {
  /** Milliseconds since the `101`. */
  readonly age: number
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
  answered(backend: Backend, work: Work, status: number): void {
    if (!this.#options) return
    // What a backend says to an upgrade instead of the `101` may be right or wrong.
    if (work === 'request' || status === 101) this.served(backend, work)
    if (this.#options.errors) this.#count(backend, status >= 500)
  }

  /** It has done as it was asked. */
  served(backend: Backend, work: Work): void {
    this.#outliers.get(backend)?.succeeded(work)
  }

  /** No answer has come: no connection, none in time, or it was cut. */
  failed(backend: Backend, work: Work, reason: string): void {
    if (!this.#counts(backend)) return
    this.#of(backend).failed(work, this.#deps.clock.now(), reason)
    this.#count(backend, true)
    if (backend.health === 'up') this.#judge(backend)
  }

  tunnelEnded(backend: Backend, { age, client, fault, isGraceful }: TunnelConduct): void {
    const earlyClose = this.#options?.earlyClose
    if (!earlyClose || !this.#counts(backend)) return
    const now = this.#deps.clock.now()
    if (fault !== undefined && age < earlyClose) {
      this.#of(backend).brokeOff(client, age, now, `${fault} after ${Math.round(age)} ms`)
      if (backend.health === 'up') this.#judge(backend)
    } else if (isGraceful || age >= earlyClose) this.#outliers.get(backend)?.held(now - age)
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

  #count(backend: Backend, isError: boolean): void {
    const { errors } = this.#options!
    if (!errors || !this.#counts(backend)) return
    const share = this.#of(backend).answered(isError, errors, this.#deps.clock.now())
    if (!isError || share === undefined || share < errors.share || backend.health !== 'up') return
    this.#eject(backend, `${Math.round(share * 100)} % of its answers are errors`)
  }

  #judge(backend: Backend): void {
    const outlier = this.#outliers.get(backend)
    const { failures } = this.#options!
    if (!outlier || outlier.failures < failures) return
    if (outlier.earlyCloses >= failures) outlier.hear(this.#deps.tunnelsOf(backend), this.#deps.clock.now())
    if (outlier.failures < failures) return
    const row = outlier.failures > 1 ? `${outlier.failures} failures in a row, the last: ` : ''
    this.#eject(backend, row + outlier.reason)
  }

  #eject(backend: Backend, reason: string): void {
    // Where the pool cannot spare it, as many failures must come again.
    this.#of(backend).reset()
    this.#ejections.eject(backend, reason, this.#options!)
  }
}
