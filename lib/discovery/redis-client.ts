import { ConfigError } from '../core/errors.ts'

/** What is needed of a Redis client: node-redis has it. For ioredis: `{ sendCommand: ([name, ...rest]) => redis.call(name, ...rest) }`. */
export interface RedisClient {
  sendCommand(command: string[]): PromiseLike<unknown>
}

/** A connection of our own. */
export interface RedisConnection extends RedisClient {
  readonly isOpen: boolean
  connect(): Promise<unknown>
  subscribe(channel: string, listener: () => void): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
  destroy(): void
}

/**
 * A connection that is given up at the first error: whoever uses it makes another one. Not connected yet.
 * @throws ConfigError when the package is not installed
 */
export async function redisConnection(url: string): Promise<RedisConnection> {
  const { createClient } = await import('redis').catch((error: unknown) => {
    const message = 'the package "redis" is not installed: npm install redis'
    throw new ConfigError([{ path: 'redis', message }], 'WSLB_DISCOVERY', { cause: error })
  })
  // RESP 3 lets one connection both listen and ask.
  return createClient({ url, RESP: 3, disableOfflineQueue: true, socket: { reconnectStrategy: false } })
}
