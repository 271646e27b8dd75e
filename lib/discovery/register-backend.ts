import { assertOptions } from '../core/assert-options.ts'
import { BACKEND_ID, isBackendId } from '../core/backend-id.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { type Duration } from '../core/duration.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { sleep } from '../core/sleep.ts'
import { inTime } from '../core/in-time.ts'
import { period } from './period.ts'
import { redisConnection, type RedisClient, type RedisConnection } from './redis-client.ts'
import { DEFAULT_KEY, heartbeat, leave } from './redis-registry.ts'

export interface RegisterOptions {
  /** `redis://…` or `rediss://…`, which needs the package `redis`; or a client of your own, which you connect and close. */
  redis: string | RedisClient
  /** Where clients of the balancer are to be sent: `'http://10.0.0.1:3000'`, as seen from the balancer. */
  url: string
  /** Stable name. @default host:port of the url */
  id?: string
  /** Share of new clients in proportion to the others. @default 1 */
  weight?: number
  /** Only used while no other backend is up. @default false */
  backup?: boolean
  /** The same as that of `redis()` in the balancer's config. @default 'wslb:backends' */
  key?: string
  /** Between two signs of life. @default '5s' */
  every?: Duration
  /** After so long without one the backend is gone. @default '15s' */
  ttl?: Duration
  /** Aborting it is `unregister()`. */
  signal?: AbortSignal
  /** Redis cannot be reached: told once until it can. @default a process warning */
  onError?: (error: Error) => void
  /** @default the system's */
  clock?: Clock
}

export interface Registration extends AsyncDisposable {
  /**
   * Takes the backend out of the list. Idempotent.
   * @returns settles when Redis has heard of it, or cannot be reached: then it is gone after `ttl`
   */
  unregister(): Promise<void>
}

/**
 * For the application's side: says in Redis that this backend is there, again and again, whatever becomes of Redis.
 * Does not keep the process alive.
 * @throws ConfigError for an option that is none
 */
export function registerBackend(options: RegisterOptions): Registration {
  return new Heart(options)
}

const KNOWN = {
  redis: true,
  url: true,
  id: true,
  weight: true,
  backup: true,
  key: true,
  every: true,
  ttl: true,
  signal: true,
  onError: true,
  clock: true,
} as const

/** Milliseconds for Redis to answer. */
const PATIENCE = 5_000
const NEVER = new AbortController().signal

class Heart implements Registration {
  readonly #options: RegisterOptions
  readonly #clock: Clock
  readonly #key: string
  readonly #id: string
  readonly #every: number
  readonly #ttl: number
  readonly #stopped = new AbortController()
  readonly #beating: Promise<void>
  #connection: RedisConnection | undefined
  #hasWarned = false
  #left: Promise<void> | undefined

  constructor(options: RegisterOptions) {
    assertOptions('registerBackend', options, KNOWN)
    const { url, id, clock = systemClock, key = DEFAULT_KEY, every = '5s', ttl = '15s', signal } = options
    if (!URL.canParse(url))
      throw wrong('url', `got ${messageOf(url)}; expected a url like "http://10.0.0.1:3000"`)
    if (id !== undefined && !isBackendId(id)) throw wrong('id', `expected ${BACKEND_ID}`)
    this.#options = options
    this.#clock = clock
    this.#key = key
    this.#id = id ?? new URL(url).host
    this.#every = period('every', every)
    this.#ttl = period('ttl', ttl)
    if (this.#ttl <= this.#every) throw wrong('ttl', 'expected more than "every"')
    this.#beating = this.#beat(this.#stopped.signal)
    const stop = () => void this.unregister()
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true, signal: this.#stopped.signal })
  }

  unregister(): Promise<void> {
    return (this.#left ??= this.#leave())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unregister()
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { url, id, weight, backup } = this.#options
    const backend = { url, ...(id !== undefined && { id }), ...{ weight, backup } }
    while (!signal.aborted) {
      try {
        await this.#ask((client) => heartbeat(client, this.#key, this.#id, backend, this.#ttl))
        this.#hasWarned = false
      } catch (error) {
        this.#warn(error)
      }
      await sleep(this.#every, this.#clock, signal).catch(() => {})
    }
  }

  /** A sign of life that is under way is waited for: it must not come after the farewell. */
  async #leave(): Promise<void> {
    this.#stopped.abort()
    await this.#beating
    try {
      await this.#ask((client) => leave(client, this.#key, this.#id))
    } catch (error) {
      this.#warn(error)
    } finally {
      this.#disconnect()
    }
  }

  async #ask(what: (client: RedisClient) => Promise<void>): Promise<void> {
    try {
      await inTime(PATIENCE, { clock: this.#clock, signal: NEVER }, () => this.#client().then(what))
    } catch (error) {
      this.#disconnect()
      throw error
    }
  }

  /** The one there is, or a new one: each is given up at its first error. */
  async #client(): Promise<RedisClient> {
    const { redis } = this.#options
    if (typeof redis !== 'string') return redis
    if (this.#connection?.isOpen) return this.#connection
    const connection = await redisConnection(redis)
    this.#connection = connection
    connection.on('error', () => this.#disconnect())
    await connection.connect()
    return connection
  }

  #disconnect(): void {
    const connection = this.#connection
    this.#connection = undefined
    if (connection?.isOpen) connection.destroy()
  }

  #warn(thrown: unknown): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const error = new Error(`backend ${this.#id} is not registered: ${messageOf(thrown)}`, { cause: thrown })
    if (this.#options.onError) this.#options.onError(error)
    else process.emitWarning(error)
  }
}

function wrong(path: string, message: string): ConfigError {
  return new ConfigError([{ path, message }])
}
