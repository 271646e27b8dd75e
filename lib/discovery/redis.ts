import { assertOptions } from '../core/assert-options.ts'
import { type Duration } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import { sleep } from '../core/sleep.ts'
import { type Discovered } from './discovered.ts'
import { inTime } from '../core/in-time.ts'
import { period } from './period.ts'
import { redisConnection, type RedisClient, type RedisConnection } from './redis-client.ts'
import { DEFAULT_KEY, registered } from './redis-registry.ts'
import { type SourceContext, type SourceOf } from './source.ts'

export interface RedisOptions {
  /** `redis://…` or `rediss://…`; needs the package `redis`. */
  url?: string
  /** In place of `url`: a client of your own, which you connect and close. It is polled only. */
  client?: RedisClient
  /** Where the backends register themselves. @default 'wslb:backends' */
  key?: string
  /** The longest time between two looks; a change is seen at once where Redis is reached by `url`. @default '5s' */
  every?: Duration
  /** An answer that has not come by then has failed. @default '5s' */
  timeout?: Duration
}

/**
 * Backends that register themselves in Redis, see `registerBackend` in `wslb/register`. Needs Redis 6 or newer.
 * @throws ConfigError for an option that is none
 */
export function redis(options: RedisOptions): SourceOf<Discovered> {
  const known = { url: true, client: true, key: true, every: true, timeout: true } as const
  assertOptions('redis', options, known, ': redis({ url: "redis://…" })')
  const { url, client, key = DEFAULT_KEY, every = '5s', timeout = '5s' } = options
  const pause = period('every', every)
  const patience = period('timeout', timeout)
  if ((url === undefined) === (client === undefined)) {
    throw new ConfigError([{ path: 'redis', message: 'expected either url or client' }])
  }
  return {
    name: `redis(${key})`,
    async *watch(context) {
      const change = new Signal()
      const connection = client ? undefined : await connect(url!, patience, context)
      try {
        if (connection) {
          await inTime(patience, context, () => connection.subscribe(key, () => change.give()))
        }
        connection?.on('error', (error) => change.fail(error))
        for (;;) {
          const { backends, nextExpiry } = await inTime(patience, context, () =>
            registered(client ?? connection!, key),
          )
          yield backends
          // An expiry is nobody's message.
          const rest = Math.min(pause * (0.9 + 0.2 * context.random()), nextExpiry + 1)
          await change.within(rest, context)
        }
      } finally {
        if (connection?.isOpen) connection.destroy()
      }
    },
  }
}

async function connect(url: string, timeout: number, context: SourceContext): Promise<RedisConnection> {
  const connection = await redisConnection(url)
  // Without a listener an error would be thrown at nobody; what it breaks, fails too.
  connection.on('error', () => {})
  try {
    await inTime(timeout, context, () => connection.connect())
    return connection
  } catch (error) {
    if (connection.isOpen) connection.destroy()
    throw error
  }
}

/** Somebody has said that there is something new, perhaps before anybody waited for it. */
class Signal {
  #given = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  give(): void {
    this.#given = true
    this.#wake?.()
  }

  fail(error: Error): void {
    this.#error = error
    this.#wake?.()
  }

  /** Settles with the next one, or when the time is over. @throws the failure; the reason of the signal */
  async within(ms: number, { clock, signal }: SourceContext): Promise<void> {
    const waiting = new AbortController()
    const stop = () => waiting.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    this.#wake = () => waiting.abort()
    if (this.#given || this.#error) this.#wake()
    await sleep(ms, clock, waiting.signal).catch(() => {})
    signal.removeEventListener('abort', stop)
    this.#wake = undefined
    this.#given = false
    signal.throwIfAborted()
    if (this.#error) throw this.#error
  }
}
