import { type BackendTls } from '../core/backend.ts'
import { type Duration } from '../core/duration.ts'
import { type Policy } from '../balancing/policy.ts'
import { type PresetName } from '../sticky/presets.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'
import { type PollFunction } from '../discovery/poll.ts'
import { type SourceOf } from '../discovery/source.ts'
import { type BackendHealthConfig, type HealthConfig } from './health-config.ts'
import { type SlowStartConfig } from './slow-start-rule.ts'
import { type DrainConfig } from '../proxy/controls.ts'
import { type Hooks } from '../proxy/hooks.ts'
import { type HeaderCondition } from '../proxy/route-conditions.ts'
import { type RetryBudgetConfig } from './retry-budget-config.ts'
import { type RouteConfig } from './route-config.ts'
import { type LostConfig, type OnLostConfig } from './on-lost-config.ts'
import { type Logger, type LogLevel } from '../core/logger.ts'

/** What `lb.config.ts` exports, and what `createBalancer` and `reload` take. */
export interface Config extends PoolConfig {
  /**
   * Where clients connect: a port, a listener, or several.
   * Needed for `listen()` only; inside a server of your own leave it out.
   * @default none in the library; `wslb start` listens on port 8080
   */
  listen?: number | ListenConfig | readonly (number | ListenConfig)[]
  /**
   * Several pools by name. `backends`, `balance`, `sticky`, `onLost`, `health`, `rebalance`, `retryBudget` and `slowStart` at
   * the top level are shorthand for one pool named `default`; both forms cannot be mixed for that name.
   */
  pools?: Readonly<Record<string, PoolConfig & { backends: NonNullable<PoolConfig['backends']> }>>
  /**
   * First match wins. A request that matches none gets 404.
   * @default everything goes to the pool `default`
   */
  routes?: readonly RouteConfig[]
  /** How live sockets are ended on shutdown and when their backend leaves. */
  drain?: DrainConfig
  /** Pings, idle time, handshakes of WebSockets. */
  websocket?: WebSocketConfig
  /** How long to wait for backends, for clients and for hooks. */
  timeouts?: TimeoutsConfig
  /**
   * Backends tried for one request at most, the first included. Only what is safe is tried again: nothing of a
   * non-idempotent request was sent; an upgrade before its `101` always is.
   * @default 3
   */
  attempts?: number
  /** What happens to upgrades for which there is no room at once. */
  admission?: AdmissionConfig
  /**
   * Peers whose `X-Forwarded-*` headers we believe: addresses or CIDRs (`'10.0.0.0/8'`), or `true` for everybody.
   * Danger: a client that is believed can claim any address.
   * @default false
   */
  trustProxy?: boolean | string | readonly string[]
  /** Your code on the way of a request. */
  hooks?: Hooks
  /**
   * Level of the built-in log on stderr, or a logger shaped like pino's.
   * @default 'info' in `wslb start`; 'silent' in the library
   */
  log?: LogLevel | Logger
}

/** Interchangeable backends with one policy, one stickiness, one health loop. */
export interface PoolConfig {
  /**
   * Urls, or objects with a url: a list, or a source that gives lists, e.g. `dns('chat.internal:3000')`. May be empty:
   * requests then get 503.
   */
  backends?: readonly BackendConfig[] | BackendSource
  /** How lists of a source are taken. Has no effect on a list in the config. */
  discovery?: DiscoveryConfig
  /**
   * Who gets a client that belongs to nobody: a built-in policy by name, or a policy of your own.
   * @default 'random'
   */
  balance?: 'random' | 'round-robin' | 'least-connections' | 'p2c' | 'least-time' | 'hash' | Policy
  /**
   * How a client finds its backend again: `'cookie'`, the name of a protocol, a strategy, an ordered list of them, or
   * `false`. The cookie is named `server`; with several pools, `server-<pool>` in all but `default`.
   * @default 'cookie'
   */
  sticky?: false | StickyName | StickyStrategy | readonly (StickyName | StickyStrategy)[]
  /**
   * What becomes of a client whose own backend, as `sticky` says, cannot serve: `'rebalance'` gives it another one,
   * `'reject'` refuses it with 503 and Retry-After, `{ wait, then }` holds it until its backend is back, e.g. after a
   * restart, but no longer than that. Also by cause: `down`, `draining`, `full`.
   * @default 'rebalance'
   */
  onLost?: OnLostConfig
  /** The health loop; `false` holds every backend to be up for ever. */
  health?: false | HealthConfig
  /**
   * Moves WebSockets from backends that have too many of them to those that have too few, by closing them at a pace;
   * `{}` does so with the defaults. Danger: whoever does not come back after a Close is lost.
   * @default false
   */
  rebalance?: false | RebalanceConfig
  /**
   * Keeps retries from multiplying an outage; `false` tries again whatever may be tried again. A retry that another
   * backend answers costs nothing, one in vain costs one.
   */
  retryBudget?: false | RetryBudgetConfig
  /**
   * A backend that joins others that serve, or comes back from `down` or from a drain, gets its share little by little:
   * a duration, or an object. Backends of the first config have all of theirs at once.
   * @default false
   */
  slowStart?: false | Duration | SlowStartConfig
}

/** `'cookie'`, or what a protocol needs: its session ids are learned, or its path is the key. */
export type StickyName = 'cookie' | PresetName

export interface RebalanceConfig {
  /**
   * How far above its share a backend may be before it gives WebSockets away: 0.1 is 10 %. Then it goes down to its
   * share.
   * @default 0.1
   */
  tolerance?: number
  /** WebSockets closed in a minute, of this pool, at most. @default 60 */
  perMinute?: number
  /** Younger WebSockets are left alone. @default '1m' */
  minAge?: Duration
}

/** Says which backends a pool has, see {@link SourceOf}. */
export type Source = SourceOf<BackendConfig>

/** A source; a function that is asked again and again, see `poll`; or lists as they come out of an async iterable. */
export type BackendSource = Source | PollFunction<BackendConfig> | AsyncIterable<readonly BackendConfig[]>

export interface DiscoveryConfig {
  /**
   * A backend that is missing in the lists leaves when it was missing for that long; until then everything about it
   * stays as it is. @default '10s'
   */
  removeAfter?: Duration
  /** Whether an empty list counts; otherwise the backends stay as they are. @default false */
  allowEmpty?: boolean
  /** How long `listen()` waits for the first list; then it opens without. @default '5s' */
  startTimeout?: Duration
}

export type BackendConfig = string | BackendObject

export interface BackendObject {
  /** `http://` or `https://`, host and port, no path. WebSockets use the same url. */
  url: string
  /** Stable name: counters, health and sockets follow it across reloads. @default host:port of the url */
  id?: string
  /** Share of new clients in proportion to the others. 0 gets none but those that stick to it. @default 1 */
  weight?: number
  /** Open tunnels and running requests at most; more get another backend, or 503. @default unlimited */
  maxConnections?: number
  /**
   * New WebSockets a second; a tenth of them, and at least one, may come at once. More wait for `admission.maxWait` at
   * most, then get another backend, or 503. Requests do not count. @default unlimited
   */
  maxHandshakesPerSecond?: number
  /** Only used while no other backend of the pool is up. @default false */
  backup?: boolean
  /** `Host` header of probes over HTTP, which `health.headers` wins over. @default host and port of the url */
  host?: string
  /** TLS towards an `https://` backend. */
  tls?: BackendTls
  /** What it has otherwise than the `health` of its pool; `false`: it is not probed, and taken for up. */
  health?: false | BackendHealthConfig
}

export interface ListenConfig {
  /** 0 lets the system choose. */
  port: number
  /** @default '0.0.0.0' */
  host?: string
  /**
   * Serve https/wss. `cert` and `key` are file paths (relative to the config file) or PEM text.
   * `'self-signed'` makes a throw-away certificate at each start: for development only.
   * @default plain http/ws
   */
  tls?: 'self-signed' | { cert: string; key: string }
}

export type { BackendHealthConfig, DrainConfig, HeaderCondition, HealthConfig, RouteConfig, SlowStartConfig }
export type { EjectionConfig, ErrorShareConfig } from './ejection-config.ts'
export type { RetryBudgetConfig }
export type { LostConfig, OnLostConfig }

export interface AdmissionConfig {
  /** An upgrade waits that long at most for a token under `maxHandshakesPerSecond`. 0 never waits. @default '1s' */
  maxWait?: Duration
  /**
   * `'close-1013'` answers a browser (an upgrade with an `Origin`) with a `101` and a Close 1013 where others get 503:
   * its JavaScript sees a close code, but not the status of a failed handshake.
   * @default false
   */
  browsers?: false | 'close-1013'
}

export interface WebSocketConfig {
  /** A leg that was silent for this long gets a Ping; `false` never pings. @default '30s' */
  ping?: Duration | false
  /** From dialling a backend to its `101`. Then the next backend is tried, or the client gets 504. @default '10s' */
  handshakeTimeout?: Duration
  /**
   * A tunnel without a message in either direction for this long is closed with 1001; Pings do not count.
   * `false` never closes. @default false
   */
  idleTimeout?: Duration | false
  /**
   * A tunnel that has been open for this long is closed with 1012, up to 10 % earlier so that those who came together
   * do not leave together. `false` never closes. @default false
   */
  maxAge?: Duration | false
  /** How long a peer may take to answer a Close frame of ours before its connection is ended. @default '5s' */
  closeTimeout?: Duration
}

export interface TimeoutsConfig {
  /** For the TCP and TLS handshakes with a backend. @default '5s' */
  connect?: Duration
  /** From sending a request to the head of the response; long polls need more than their hold time. @default '2m' */
  response?: Duration
  /** A client must have sent its request head by then (slow-loris guard). @default '10s' */
  headers?: Duration
  /** A client that sends nothing of its request body for this long is given up: 408. @default '60s' */
  body?: Duration
  /** Idle client connections are kept open this long. @default '65s' */
  keepAlive?: Duration
  /** For one hook to settle; then 504. @default '10s' */
  hook?: Duration
}

/** What a config function is told. */
export interface ConfigContext {
  /** Aborts when this generation of the config is replaced, rejected, or the balancer stops. */
  readonly signal: AbortSignal
  /** The config this one is to replace; `undefined` at the first start. */
  readonly previous: Config | undefined
}

export type ConfigInput = Config | ((context: ConfigContext) => Config | Promise<Config>)

/**
 * What a config function may return. TypeScript looks for unknown keys in literals, but not in what functions return;
 * `then` keeps a promise from passing for a config, all of whose keys are optional.
 */
type Returned<T> = T & { readonly then?: never } & ([UnknownKey<T>] extends [never]
    ? unknown
    : { readonly [K in UnknownKey<T>]: never })
type UnknownKey<T> = Exclude<keyof T, keyof Config>

/** Types your config; does nothing at run time. */
export function defineConfig<T extends Config>(
  config: (context: ConfigContext) => Returned<T> | Promise<Returned<T>>,
): (context: ConfigContext) => Config | Promise<Config>
export function defineConfig(config: Config): Config
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}
