import { spawnSync } from 'node:child_process'
import { RedisServer, type RedisServerOptions } from '../../examples/support/redis-server.ts'
import { type Scope } from './balancer.ts'

/**
 * For `{ skip }` of a test that needs one: why it cannot run here. On CI nothing is skipped: it fails.
 * @see {@link RedisServer}, which the examples start too
 */
export const withoutRedis =
  spawnSync('redis-server', ['--version']).status !== 0 && !process.env.CI
    ? 'redis-server is not installed: what depends on a real Redis is NOT tested'
    : false

/** A Redis that ends with the test. */
export async function startRedis(t: Scope, options?: RedisServerOptions): Promise<RedisServer> {
  const server = await RedisServer.start(options)
  t.teardown(() => server.stop())
  return server
}
