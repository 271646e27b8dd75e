import { setMaxListeners } from 'node:events'
import { Pool } from 'undici'
import { type Backend, type BackendTls } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { dial } from './dial.ts'
import { HttpClient } from './http-client.ts'

/** Keep-alive connections for HTTP requests: one undici pool a backend. Which backend, is decided elsewhere. */
export class HttpPools {
  readonly #pools = new Map<Backend, { readonly pool: Pool; readonly tls: BackendTls | undefined }>()
  /** Of backends that have left; some of their requests may still run. */
  readonly #retired = new Set<Pool>()
  readonly #clock: Clock
  readonly #destroyed = new AbortController()
  /** Milliseconds; a reload changes it for later connections. */
  connectTimeout: number

  constructor(clock: Clock, connectTimeout: number) {
    this.#clock = clock
    this.connectTimeout = connectTimeout
    // Every connect under way listens, and there is no bound on them here.
    setMaxListeners(0, this.#destroyed.signal)
  }

  for(backend: Backend): Pool {
    const { tls } = backend.settings
    const kept = this.#pools.get(backend)
    if (kept && kept.tls === tls) return kept.pool
    // Kept connections were verified by settings that no longer hold.
    if (kept) this.retire(backend)
    const open = () =>
      dial(backend, {
        clock: this.#clock,
        timeout: this.connectTimeout,
        signal: this.#destroyed.signal,
      })
    const pool = new Pool(backend.url.origin, {
      factory: (origin, options) => new HttpClient(origin, options, open),
      pipelining: 1,
      bodyTimeout: 0,
      // Below the 5 s after which a Node server closes an idle connection: reusing it then would race.
      keepAliveTimeout: 4_000,
    })
    this.#pools.set(backend, { pool, tls })
    return pool
  }

  /** Lets running requests end, then closes the connections to a backend that has left. */
  retire(backend: Backend): void {
    const kept = this.#pools.get(backend)
    if (!kept) return
    const { pool } = kept
    this.#pools.delete(backend)
    this.#retired.add(pool)
    const gone = () => void this.#retired.delete(pool)
    // It rejects when it is destroyed before it has closed.
    pool.close().then(gone, gone)
  }

  /** Cuts every connection; what is still running fails. */
  async destroy(): Promise<void> {
    this.#destroyed.abort()
    const pools = [...[...this.#pools.values()].map(({ pool }) => pool), ...this.#retired]
    this.#pools.clear()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }
}
