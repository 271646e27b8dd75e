import { type Reply } from '../session/evaluator.ts'

/** What a relay needs of a connection to Redis or to a Sentinel. It is used once: nothing is sent again, nobody reconnects. */
export interface Connection {
  /** Aborted when it has ended, with the error as reason; whatever is under way has rejected. */
  readonly signal: AbortSignal
  /** Sends at once, in the order of the calls. Rejects with a {@link ReplyError} for an error of the server. */
  command(args: readonly (string | Buffer)[]): Promise<Reply>
  /** Settles when the server has confirmed it. The listener must not throw. */
  subscribe(channel: string, listener: (message: Buffer) => void): Promise<void>
  unsubscribe(channel: string): Promise<void>
  /** At once. */
  destroy(): void
}

/** The server has answered with an error: its words are the message. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface ConnectionOptions {
  readonly address: Address
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly db?: number | undefined
  /** Options of `tls.connect()`; without them there is no TLS. */
  readonly tls?: object | undefined
  /** Milliseconds for TCP and TLS. */
  readonly connectTimeout: number
  /** Gives up the attempt. */
  readonly signal: AbortSignal
}

/** Settles when the server has accepted user and password. Rejects with a {@link ReplyError} when it has not. */
export type ConnectionFactory = (options: ConnectionOptions) => Promise<Connection>
