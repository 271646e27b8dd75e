import type * as redis from 'redis'
import { ConfigError } from '../../core/errors.ts'
import { type Reply } from '../session/evaluator.ts'
import { type Connection, type ConnectionFactory, type ConnectionOptions, ReplyError } from './connection.ts'

type NodeRedis = typeof redis
type Client = ReturnType<typeof clientFor>

/** By the package `redis`, stripped of everything that it would do on its own. */
export const connectNodeRedis: ConnectionFactory = async (options) => {
  const library = await import('redis').catch((error: unknown) => {
    const message = 'the package "redis" is not installed: npm install redis'
    throw new ConfigError([{ path: 'redis', message }], 'WSLB_CONFIG_INVALID', { cause: error })
  })
  options.signal.throwIfAborted()
  const connection = new NodeRedisConnection(library, options)
  await connection.open(options.signal)
  return connection
}

class NodeRedisConnection implements Connection {
  readonly signal: AbortSignal
  readonly #ended = new AbortController()
  readonly #client: Client
  readonly #listeners = new Map<string, (message: Buffer) => void>()
  readonly #ErrorReply: NodeRedis['ErrorReply']

  constructor(library: NodeRedis, options: ConnectionOptions) {
    this.signal = this.#ended.signal
    this.#ErrorReply = library.ErrorReply
    this.#client = clientFor(library, options, this.signal)
    // Also for an answer that cannot be parsed, after which the client itself would go on.
    this.#client.on('error', (error: Error) => this.#end(error))
  }

  async open(signal: AbortSignal): Promise<void> {
    const giveUp = () => this.#end(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      await this.#client.connect()
    } catch (error) {
      this.#end(error)
      throw signal.aborted ? signal.reason : this.#translate(error)
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async command(args: readonly (string | Buffer)[]): Promise<Reply> {
    try {
      return await this.#client.sendCommand<Reply>(args)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    this.#listeners.set(channel, listener)
    try {
      await this.#client.subscribe(channel, listener, true)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    // Without the listener, the client would not notice that somebody subscribes again before the server has answered.
    const listener = this.#listeners.get(channel)
    this.#listeners.delete(channel)
    try {
      await this.#client.unsubscribe(channel, listener, true)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  destroy(): void {
    this.#end(new Error('the connection was closed'))
  }

  #end(reason: unknown): void {
    if (this.signal.aborted) return
    this.#client.destroy()
    // Ends the socket too while it is being connected, when the client does not know it yet.
    this.#ended.abort(reason)
  }

  #translate(error: unknown): unknown {
    if (error instanceof this.#ErrorReply) return new ReplyError(error.message, { cause: error })
    return this.signal.aborted ? this.signal.reason : error
  }
}

function clientFor(
  { createClient, RESP_TYPES }: NodeRedis,
  { address, username, password, db, tls, connectTimeout }: ConnectionOptions,
  signal: AbortSignal,
) {
  const socket = { ...address, connectTimeout, reconnectStrategy: false as const, signal }
  return createClient({
    socket: tls ? { ...tls, ...socket, tls: true } : socket,
    username,
    password,
    database: db ?? 0,
    // One connection can both listen and ask.
    RESP: 3,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    commandOptions: {
      // Its timer would cost more than the command, and ends only what has not been sent.
      timeout: undefined,
      typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.MAP]: Array },
    },
  })
}
