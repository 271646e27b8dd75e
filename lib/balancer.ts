import { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { systemClock } from './core/clock.ts'
import { durationArgument } from './core/duration.ts'
import { ConfigError, balancerClosed, toWslbError } from './core/errors.ts'
import { type EventName, type EventListener, type Plan } from './core/events.ts'
import { type Config } from './config/config.ts'
import { resolveCloseReason, resolveConfig, resolveDrain } from './config/resolve.ts'
import { type BalancerOptions, type Choice, type CloseOptions, type DrainOptions } from './balancer-types.ts'
import { Engine } from './engine.ts'
import { type ListenerAddress } from './listener/listener.ts'
import { replayAsRequest } from './listener/replay.ts'
import { BalancerLog } from './observe/balancer-log.ts'
import { asksForWebSocket } from './protocol/handshake.ts'
import { type Controls, type RebalanceResult } from './proxy/controls.ts'
import { acquireNow } from './proxy/select.ts'
import { Shutdown } from './proxy/shutdown.ts'
import { type CloseReason } from './proxy/tunnel-options.ts'
import { upgrade } from './proxy/upgrade.ts'
import { forward } from './proxy/forward.ts'
import {
  type Snapshot,
  type SnapshotOptions,
  type TunnelSnapshot,
  snapshotOf,
  tunnelSnapshot,
} from './snapshot.ts'

/**
 * Makes a balancer. Validates the config and opens nothing: that is {@link Balancer.listen}'s part.
 * @throws ConfigError with every problem of the config
 */
export function createBalancer(config: Config, options: BalancerOptions = {}): Balancer {
  return new Balancer(config, options)
}

/** Made by {@link createBalancer}. */
export class Balancer implements AsyncDisposable, Controls {
  readonly #options: BalancerOptions
  readonly #engine: Engine
  readonly #log: BalancerLog
  #listening = false
  /** Changes of config happen one after the other. */
  #changes: Promise<unknown> = Promise.resolve()
  #shutdown: Shutdown | undefined

  /** @internal Use {@link createBalancer}. */
  constructor(config: Config, options: BalancerOptions) {
    const { clock = systemClock, random = Math.random, baseDir, signal } = options
    this.#options = options
    const resolved = resolveConfig(config, { baseDir })
    this.#log = new BalancerLog(this, options.logger)
    this.#engine = new Engine(resolved, {
      clock,
      random,
      controls: this,
      onListenerError: (error, name) => this.#log.listenerThrew(error, name),
    })
    this.#log.use(resolved.log)
    if (signal?.aborted) void this.close()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /**
   * Starts the sources of backends, awaits their first lists, opens `config.listen` and starts the health loops.
   * @throws WslbError `WSLB_LISTEN` (then none is open), `WSLB_CLOSED` after `close()`; ConfigError without `listen`
   */
  async listen(): Promise<ListenerAddress[]> {
    return this.#exclusively(async () => {
      this.#assertOpen()
      const { listen, limits } = this.#engine.config
      if (listen.length === 0) {
        throw new ConfigError([
          { path: 'listen', message: 'is missing; give a port, or { port, host, tls }' },
        ])
      }
      await this.#engine.pools.feeds.firstLists()
      const open = await this.#engine.listeners.prepare(listen, limits)
      open()
      this.#listening = true
      this.#engine.pools.start()
      return this.#engine.listeners.addresses
    })
  }

  /**
   * For `server.on('request', …)` or `app.use(…)` of a server of your own.
   * Without a `next`, a request that matches no route gets 404.
   */
  readonly handleRequest = (message: IncomingMessage, response: ServerResponse, next?: () => void): void => {
    const request = this.#engine.arrive(message)
    if (next && !this.#engine.context.settings.router.claims(request)) return next()
    void forward(this.#engine.context, request, message, response, false)
  }

  /**
   * For `server.on('upgrade', …)` of a server of your own.
   * @returns `false`, with the socket untouched, for a path that matches no route and for other protocols than
   *   WebSocket; they are yours
   */
  readonly handleUpgrade = (message: IncomingMessage, duplex: Duplex, head: Buffer): boolean => {
    // What `node:http` hands over is a Socket, though its types promise less.
    const socket = duplex as Socket
    if (!asksForWebSocket(message.headers.upgrade)) {
      // Alone on that server, nobody else will answer: the request is served as if it had not offered an upgrade.
      const { server } = socket as Socket & { server?: Server }
      if (server?.listenerCount('upgrade') !== 1) return false
      replayAsRequest(server, message, socket, head)
      return true
    }
    const request = this.#engine.arrive(message)
    if (!this.#engine.context.settings.router.claims(request)) return false
    void upgrade(this.#engine.context, request, socket, head)
    return true
  }

  /**
   * Chooses a backend for a request that you forward yourself: `hooks.select`, stickiness, policy and health, nothing else.
   * @throws WslbError `WSLB_NO_ROUTE`, `WSLB_NO_BACKEND`, `WSLB_AT_CAPACITY`, `WSLB_TOO_MANY_HANDSHAKES` (it cannot
   *   wait), `WSLB_BACKEND_LOST`, `WSLB_CLOSED`, `WSLB_INTERNAL` (a policy or strategy of yours threw, or picked what is no candidate),
   *   `WSLB_HOOK_FAILED` (`hooks.select` did, or returned a promise), `WSLB_BAD_REQUEST` (an ambiguous path)
   */
  pick(message: IncomingMessage): Choice {
    const request = this.#engine.arrive(message)
    this.#assertOpen()
    const lease = acquireNow(request, this.#engine.context)
    const { id, pool, url } = lease.backend
    return {
      backend: { id, pool, url: url.origin },
      headers: lease.setCookies.length > 0 ? { 'set-cookie': [...lease.setCookies] } : {},
      release: (error) => lease.release(error),
    }
  }

  /**
   * Replaces the config by difference: what is the same in both, by backend id and url, does not notice.
   * @throws ConfigError | WslbError and then nothing has changed
   */
  async reload(next: Config): Promise<Plan> {
    return this.#exclusively(async () => {
      this.#assertOpen()
      try {
        const config = resolveConfig(next, { baseDir: this.#options.baseDir })
        const changeListeners = this.#listening
          ? await this.#engine.listeners.prepare(config.listen, config.limits)
          : undefined
        return this.#engine.events.after(() => {
          const plan = this.#engine.plan(config)
          changeListeners?.()
          // It may have been closed in the moment after the listeners were there; then they are closed again.
          this.#assertOpen()
          this.#engine.apply(config)
          this.#log.use(config.log)
          this.#engine.events.emit('config:reload', { plan })
          return plan
        })
      } catch (thrown) {
        const error = toWslbError(thrown)
        this.#engine.events.emit('config:reject', { error })
        throw error
      }
    })
  }

  /** What {@link reload} would do now. Changes and opens nothing. @throws ConfigError as `reload` does */
  async plan(next: Config): Promise<Plan> {
    return this.#exclusively(async () => {
      this.#assertOpen()
      return this.#engine.plan(resolveConfig(next, { baseDir: this.#options.baseDir }))
    })
  }

  /**
   * Takes backends out of service: new work goes elsewhere at once, their clients too when they come back. Running
   * requests finish; WebSockets are closed with a Close frame, spread evenly over `over`; at the deadline the rest is cut.
   * A second drain of the same backend joins the first; one that names an earlier deadline hurries it.
   * @param target a backend, by `id` or `pool/id`; a pool, by `name` or `name/*`; `*` for every backend
   * @returns settles when nothing is left on them, or they were restored
   * @throws WslbError `WSLB_UNKNOWN_BACKEND`, `WSLB_CLOSED`; ConfigError for an option that is not valid
   */
  async drain(target: string, options: DrainOptions = {}): Promise<void> {
    this.#assertOpen()
    const plan = resolveDrain(options, this.#engine.config)
    const members = this.#engine.pools.find(target)
    for (const { backend, pool } of members) pool.setAdminState(backend, 'draining')
    // All of them begin before anybody is told: a listener may restore one again.
    const drains = this.#engine.events.after(() =>
      members.map((member) => this.#engine.empty(member, plan, 'drain', options.deadline !== undefined)),
    )
    await Promise.all(drains)
  }

  /**
   * Puts drained backends back into service; ends a drain under way.
   * @param target as in {@link drain}
   * @throws WslbError `WSLB_UNKNOWN_BACKEND`, `WSLB_CLOSED`
   */
  restore(target: string): void {
    this.#assertOpen()
    for (const { backend, pool } of this.#engine.pools.find(target)) {
      this.#engine.drains.cancel(backend)
      pool.setAdminState(backend, 'active')
    }
  }

  /**
   * Probes backends at once, and goes on until they are up, e.g. after {@link restore}. One without a health loop is.
   * @param target as in {@link drain}; `signal` gives it up
   * @throws WslbError `WSLB_UNKNOWN_BACKEND`, `WSLB_CLOSED`; the reason of the signal
   */
  async whenUp(target: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#assertOpen()
    const members = this.#engine.pools.find(target)
    await Promise.all(members.map(({ backend, pool }) => pool.whenUp(backend, signal)))
  }

  /**
   * Moves tunnels from backends that have more than their share of a pool to those that have less, e.g. after one was
   * added: the surplus is closed at the pace of the pool's `rebalance`, or of its defaults, and whoever comes back goes
   * where there is room. A second call joins the first.
   * @param pool its name; without one, every pool
   * @returns settles when no backend is above its share, nobody is left who may be closed, or the balancer is closed
   * @throws WslbError `WSLB_UNKNOWN_BACKEND`, `WSLB_CLOSED`
   */
  async rebalance(pool?: string): Promise<RebalanceResult> {
    this.#assertOpen()
    const { pools, rebalances } = this.#engine
    const results = await Promise.all(pools.named(pool).map((one) => rebalances.run(one)))
    return { closed: results.reduce((sum, { closed }) => sum + closed, 0) }
  }

  /** The state of everything, open tunnels included unless they are left out, as plain JSON. */
  snapshot(options: SnapshotOptions = {}): Snapshot {
    return snapshotOf(this.#engine, this.#shutdown?.progress, options)
  }

  /** One open tunnel, as {@link snapshot} has it; `undefined` when there is none of that id. */
  findTunnel(id: number): TunnelSnapshot | undefined {
    const tunnel = this.#engine.tunnels.get(id)
    return tunnel && tunnelSnapshot(tunnel)
  }

  /**
   * Closes one tunnel with a Close frame to its client; the backend hears 1001.
   * @returns whether there was such a tunnel, and it was not being closed already
   * @throws ConfigError for a code or reason that cannot be sent
   */
  closeTunnel(id: number, reason: CloseReason): boolean {
    const checked = resolveCloseReason(reason)
    const tunnel = this.#engine.tunnels.get(id)
    if (!tunnel || tunnel.ending) return false
    tunnel.close('operator', checked)
    return true
  }

  /** Stops accepting, lets what is open end within `drain`, cuts the rest. Idempotent; a second call without `drain` cuts at once. */
  async close({ drain = 0 }: CloseOptions = {}): Promise<void> {
    const asked = typeof drain === 'object' ? drain : { deadline: durationArgument('drain', drain) }
    const plan = resolveDrain(asked, this.#engine.config)
    if (!this.#shutdown) {
      this.#options.signal?.removeEventListener('abort', this.#onAbort)
      this.#shutdown = new Shutdown(this.#engine, plan)
    }
    if (plan.deadline === 0) this.#shutdown.cut()
    return this.#shutdown.done
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  on<K extends EventName>(name: K, listener: EventListener<K>): this {
    this.#engine.events.on(name, listener)
    return this
  }

  once<K extends EventName>(name: K, listener: EventListener<K>): this {
    this.#engine.events.once(name, listener)
    return this
  }

  off<K extends EventName>(name: K, listener: EventListener<K>): this {
    this.#engine.events.off(name, listener)
    return this
  }

  readonly #onAbort = (): void => void this.close()

  #assertOpen(): void {
    if (this.#shutdown) throw balancerClosed()
  }

  async #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(change)
    this.#changes = result.catch(() => {})
    return result
  }
}
