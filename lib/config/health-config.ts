import { type EjectionConfig } from './ejection-config.ts'
import { type Duration } from '../core/duration.ts'
import { type HttpExpectation } from '../health/http-probe.ts'
import { type OnDown, type ProbeName } from '../health/options.ts'
import { type Probe } from '../health/probe.ts'

/** How a backend is asked, and what its answers make of it. */
export interface BackendHealthConfig {
  /** How to ask: `'http'`, `'tcp'`, `'websocket'`, or a function of your own. @default 'http' */
  probe?: ProbeName | Probe
  /** Asks another port of the same host, without TLS. @default the port of the url, with TLS where the url says so */
  port?: number
  /** HTTP method of an `'http'` probe. @default 'HEAD', or 'GET' where `expect` has a body */
  method?: string
  /** Path of an `'http'` or `'websocket'` probe. @default '/' */
  path?: string
  /** Extra request headers of an `'http'` or `'websocket'` probe; `host` may be among them. @default none */
  headers?: Readonly<Record<string, string>>
  /**
   * What an `'http'` probe takes for well: a status, a list, or a predicate; or an object with `status` and `body`, a
   * text that the first 64 KiB of the body contain or an expression they match.
   * @default every 2xx and 3xx
   */
  expect?: HttpExpectation
  /** Has a `'websocket'` probe send a Ping and wait for its Pong. @default false */
  ping?: boolean
  /**
   * Between two probes of one backend, ±10 % jitter: one time, or one for each health. Left out, `suspect` is a tenth of
   * `debounce` (at least 100 ms, at most `up`) and `down` is `up`.
   * @default '10s'
   */
  interval?: Duration | { up?: Duration; suspect?: Duration; down?: Duration }
  /** A probe that has not answered by then has failed. @default '5s' */
  timeout?: Duration
  /** How long a backend may be suspect before it is declared down. 0 declares at once. @default '10s' */
  debounce?: Duration
  /**
   * A backend is down when it has been suspect for `debounce` and has failed this many times in a row. What traffic sees
   * between two probes is one failure, however many requests fail. @default 1
   */
  fall?: number
  /** Successful probes in a row that bring a down backend up. @default 1 */
  rise?: number
  /**
   * What becomes of the open tunnels of a backend that is declared down. `'drain'` asks each by a Ping, again every 15
   * seconds: one on which the backend sends nothing within 5 seconds is closed with `drain.code`, spread over 5 seconds;
   * the others live on. `'keep'` leaves all to the heartbeat. `'cut'` ends all at once, with 1014.
   * @default 'drain'
   */
  onDown?: OnDown
}

export interface HealthConfig extends BackendHealthConfig {
  /** With every backend down: try them in policy order rather than refuse with 503. @default true */
  lastResort?: boolean
  /** Takes a backend out for a while whose probe is well and whose traffic fails; `false` never does. */
  ejection?: false | EjectionConfig
  /**
   * While less than this share of the active backends is up and not ejected, health and ejections count for nothing: all of
   * them get traffic, those that are down as well. 0 never; then those that are out come last, see `lastResort`.
   * @default 0
   */
  panicThreshold?: number
}
