import { type Clock, systemClock } from './clock.ts'
import { type Digest, digestOf } from './digest.ts'
import { PeakEwma } from './ewma.ts'
import { TokenBucket } from './token-bucket.ts'

/** What we observed. */
export type Health = 'up' | 'suspect' | 'down'

/** What the operator wishes. Never mixed with {@link Health}. */
export type AdminState = 'active' | 'draining' | 'disabled'

/** TLS towards an `https://` backend. The certificate is verified unless told otherwise. */
export interface BackendTls {
  /** Extra certificate authorities, PEM. */
  readonly ca?: string | readonly string[]
  /** Client certificate and key, PEM. */
  readonly cert?: string
  readonly key?: string
  /** Name sent as SNI and verified. @default the url's host name */
  readonly servername?: string
  /** `false` accepts any certificate: anybody on the path can read and change the traffic. @default true */
  readonly rejectUnauthorized?: boolean
}

/** The id alone in the default pool, `pool/id` elsewhere. */
export function fullName({ id, pool }: { readonly id: string; readonly pool: string }): string {
  return pool === 'default' ? id : `${pool}/${id}`
}

/** The part of a backend that its owner writes down; a reload may change it while the {@link Backend} lives on. */
export interface BackendSettings {
  readonly weight: number
  /** Open tunnels and running requests at most. */
  readonly maxConnections: number
  /** New WebSockets a second at most. */
  readonly maxHandshakesPerSecond: number
  /** Used only while no other backend of the pool is up. */
  readonly backup: boolean
  /** `Host` of probes; `undefined`: that of the url. */
  readonly host: string | undefined
  readonly tls: BackendTls | undefined
}

/** How a probe went. */
export interface ProbeResult {
  /** When it ended, in milliseconds since 1970. */
  readonly at: number
  /** Milliseconds. */
  readonly duration: number
  /** `null` when all was well. */
  readonly failure: string | null
}

/** Counters since the backend was added. */
export interface BackendCounters {
  requests: number
  upgrades: number
  failures: number
}

/**
 * One server of a pool. Sockets, leases and counters hold on to this object, never to config:
 * it lives as long as its id and url stay in the pool, across any number of reloads.
 */
export class Backend {
  readonly id: string
  readonly pool: string
  readonly url: URL
  /** Of the id: the same in every process. */
  readonly digest: Digest
  settings: BackendSettings
  health: Health = 'up'
  /** Of the last change of {@link health}, in milliseconds since 1970. */
  healthSince: number
  /** `undefined` until the first one has ended. */
  lastProbe: ProbeResult | undefined
  /** What was seen last of a failure; of what is over as well. */
  trouble = ''
  adminState: AdminState = 'active'
  /** When it is given new work again, in milliseconds since 1970, though its probe is well; `undefined`: now. */
  ejectedUntil: number | undefined
  /** How much of its configured weight counts now, above 0: less than 1 while it starts slowly. */
  ramp = 1
  /** Leases held now: open tunnels, handshakes under way, requests under way. */
  load = 0
  /** New WebSockets a second that it takes for now, before others are asked: while it starts slowly. */
  startRate = Infinity
  /** A token for each of those; nobody waits for it. */
  readonly starts = new TokenBucket(() => this.startRate)
  /** Open tunnels, part of {@link load}. */
  tunnels = 0
  /** Clients that wait: for a token, those are part of {@link load}; or until it can serve (`onLost`). */
  waiting = 0
  /** A token for each new WebSocket. */
  readonly handshakes = new TokenBucket(() => this.settings.maxHandshakesPerSecond)
  readonly counters: BackendCounters = { requests: 0, upgrades: 0, failures: 0 }

  /** From dialling to the `101`. */
  readonly handshakeTime: PeakEwma

  constructor(
    id: string,
    pool: string,
    url: URL,
    settings: BackendSettings,
    clock: Pick<Clock, 'now' | 'wallTime'> = systemClock,
  ) {
    this.handshakeTime = new PeakEwma(clock)
    this.id = id
    this.pool = pool
    this.url = url
    this.digest = digestOf(id)
    this.settings = settings
    this.healthSince = clock.wallTime()
  }

  /** Share of new clients in proportion to the others: the configured weight, less while it starts slowly. */
  get weight(): number {
    return this.settings.weight * this.ramp
  }

  /** Milliseconds its handshakes take of late, the worst counting most; `undefined` when there were none for a minute. */
  get latency(): number | undefined {
    return this.handshakeTime.value
  }

  get saturated(): boolean {
    return this.load >= this.settings.maxConnections
  }
}
