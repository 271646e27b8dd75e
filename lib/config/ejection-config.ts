import { type Duration } from '../core/duration.ts'

export interface EjectionConfig {
  /**
   * Failures in a row, of requests, of handshakes or of WebSockets, that eject a backend: no connection, no answer in
   * time, a connection that is cut before the answer, and what `earlyClose` says.
   * @default 5
   */
  failures?: number
  /**
   * A WebSocket is a failure too whose backend vanishes without a Close, or closes it with 1011, sooner than that after
   * the `101`; `false`: none is.
   * @default '5s'
   */
  earlyClose?: Duration | false
  /** Also a backend whose answers are errors (a status of 500 or more) is ejected. @default false */
  errors?: false | ErrorShareConfig
  /** How long it is out; twice as long when it happens again soon, up to 10 % shorter by chance. @default '10s' */
  time?: Duration
  /** How long it is out at most. @default '5m' */
  maxTime?: Duration
  /** No more of the active backends are out than this share of them, rounded down, and never the last one. @default 0.5 */
  maxShare?: number
}

export interface ErrorShareConfig {
  /** Share of errors that ejects. @default 0.5 */
  share?: number
  /** Answers without which nothing is concluded. @default 20 */
  min?: number
  /** The time over which both are counted. @default '10s' */
  window?: Duration
}
