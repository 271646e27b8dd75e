import { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { type Random, systemClock } from './core/clock.ts'
import { durationArgument } from './core/duration.ts'
import { ConfigError, balancerClosed, toWslbError } from './core/errors.ts'
import { type EventName, Events, type EventListener, type Plan } from './core/events.ts'
import { type IncomingRequest } from './core/request.ts'
import { type Config } from './config/config.ts'
import { resolveConfig, resolveDrain } from './config/resolve.ts'
import { type ResolvedConfig } from './config/resolved.ts'
import { type BalancerOptions, type Choice, type CloseOptions, type DrainOptions } from './balancer-types.ts'
import { arrival } from './listener/arrival.ts'
import { type ListenerAddress } from './listener/listener.ts'
import { Listeners } from './listener/listeners.ts'
import { replayAsRequest } from './listener/replay.ts'
import { BalancerLog } from './observe/balancer-log.ts'
import { Pools } from './pool/pools.ts'
import { asksForWebSocket } from './protocol/handshake.ts'
import { type ProxyContext } from './proxy/context.ts'
import { Drains } from './proxy/drain.ts'
import { forward } from './proxy/forward.ts'
import { Sweep } from './proxy/sweep.ts'
import { Tunnels } from './proxy/tunnels.ts'
import { Shutdown } from './proxy/shutdown.ts'
import { upgrade } from './proxy/upgrade.ts'
import { proxySettings, setSweeps } from './proxy-settings.ts'
import { type Snapshot, snapshotOf } from './snapshot.ts'
import { dial } from './upstream/dial.ts'
import { HttpPools } from './upstream/http-pools.ts'

/**
 * Makes a balancer. Validates the config and opens nothing: that is {@link Balancer.listen}'s part.
 * @throws ConfigError with every problem of the config
 */
export function createBalancer(config: Config, options: BalancerOptions = {}): Balancer {
  return new Balancer(config, options)
}

/** Made by {@link createBalancer}. */
export class Balancer implements AsyncDisposable {
  readonly #options: BalancerOptions
  readonly #events: Events
  readonly #pools: Pools
  readonly #listeners: Listeners
  readonly #drains: Drains
  readonly #random: Random
  readonly #context: ProxyContext
  #config: ResolvedConfig
  readonly #log: BalancerLog
  #listening = false
  /** Changes of config happen one after the other. */
  #changes: Promise<unknown> = Promise.resolve()
  #shutdown: Shutdown | undefined

  /** @internal Use {@link createBalancer}. */
  constructor(config: Config, options: BalancerOptions) {
    const { clock = systemClock, random = Math.random, baseDir, signal } = options
    this.#options = options
    this.#random = random
    this.#config = resolveConfig(config, { baseDir })
    this.#log = new BalancerLog(this, options.logger)
    this.#events = new Events((error, name) => this.#log.listenerThrew(error, name))
    this.#pools = new Pools({
      events: this.#events,
      clock,
      random,
      dial: (backend, signal) =>
        dial(backend, { clock, signal, unref: true, timeout: this.#config.timeouts.connect }),
    })
    const tunnels = new Tunnels()
    this.#drains = new Drains({ clock, random, events: this.#events, tunnels })
    this.#pools.apply(this.#config.pools)
    this.#context = {
      settings: proxySettings(this.#config, this.#pools.byName),
      state: 'open',
      events: this.#events,
      clock,
      httpPools: new HttpPools(clock, this.#config.timeouts.connect),
      tunnels,
      pending: new Set(),
      heartbeat: new Sweep(clock, tunnels, false, (tunnel) => tunnel.beat()),
      idleSweep: new Sweep(clock, tunnels, false, (tunnel) => tunnel.checkIdle()),
    }
    this.#listeners = new Listeners({
      onRequest: (message, response, awaitsContinue) =>
        void forward(this.#context, this.#arrive(message), message, response, awaitsContinue),
      onUpgrade: (message, socket, head) => void upgrade(this.#context, this.#arrive(message), socket, head),
      onError: (error, address) => this.#events.emit('listener:error', { address, error }),
    })
    setSweeps(this.#context, this.#config)
    this.#log.use(this.#config.log)
    if (signal?.aborted) void this.close()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /**
   * Opens `config.listen` and starts the health loops.
   * @throws WslbError `WSLB_LISTEN` when an address cannot be bound; then none is open. `WSLB_CLOSED` after `close()`.
   *   ConfigError when the config has no `listen`.
   */
  async listen(): Promise<ListenerAddress[]> {
    return this.#exclusively(async () => {
      this.#assertOpen()
      const { listen, limits } = this.#config
      if (listen.length === 0) {
        throw new ConfigError([
          { path: 'listen', message: 'is missing; give a port, or { port, host, tls }' },
        ])
      }
      const open = await this.#listeners.prepare(listen, limits)
      open()
      this.#listening = true
      this.#pools.start()
      return this.#listeners.addresses
    })
  }

  /**
   * For `server.on('request', …)` or `app.use(…)` of a server of your own.
   * Without a `next`, a request that matches no route gets 404.
   */
  readonly handleRequest = (message: IncomingMessage, response: ServerResponse, next?: () => void): void => {
    const request = this.#arrive(message)
    if (next && !this.#context.settings.router.match(request)) return next()
    void forward(this.#context, request, message, response, false)
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
    const request = this.#arrive(message)
    if (!this.#context.settings.router.match(request)) return false
    void upgrade(this.#context, request, socket, head)
    return true
  }

  /**
   * Chooses a backend for a request that you forward yourself: stickiness, policy and health, nothing else.
   * @throws WslbError `WSLB_NO_ROUTE`, `WSLB_NO_BACKEND`, `WSLB_AT_CAPACITY`, `WSLB_CLOSED`, `WSLB_INTERNAL` (a policy
   *   or strategy of yours threw, or picked what is no candidate)
   */
  pick(message: IncomingMessage): Choice {
    const request = this.#arrive(message)
    this.#assertOpen()
    const lease = this.#context.settings.router.route(request).acquire(request)
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
          ? await this.#listeners.prepare(config.listen, config.limits)
          : undefined
        const plan = this.#swap(config)
        changeListeners?.()
        this.#events.emit('config:reload', { plan })
        return plan
      } catch (thrown) {
        const error = toWslbError(thrown)
        this.#events.emit('config:reject', { error })
        throw error
      }
    })
  }

  /** What {@link reload} would do now. Changes and opens nothing. @throws ConfigError as `reload` does */
  async plan(next: Config): Promise<Plan> {
    return this.#exclusively(async () => {
      this.#assertOpen()
      const { pools, drain } = resolveConfig(next, { baseDir: this.#options.baseDir })
      return { ...this.#pools.plan(pools), over: drain.over }
    })
  }

  /**
   * Takes a backend out of service: new work goes elsewhere at once, its clients too when they come back. Running
   * requests finish; WebSockets are closed with a Close frame, spread evenly over `over`; at the deadline the rest is cut.
   * A second drain of the same backend joins the first.
   * @param name `id`, or `pool/id`
   * @returns settles when nothing is left on it, or it was restored
   * @throws WslbError `WSLB_UNKNOWN_BACKEND`; ConfigError for an option that is not valid
   */
  async drain(name: string, options: DrainOptions = {}): Promise<void> {
    const plan = resolveDrain(options, this.#config.drain)
    const members = this.#pools.find(name)
    for (const { backend, pool } of members) pool.setAdminState(backend, 'draining')
    await Promise.all(members.map((member) => this.#drains.start(member, plan)))
  }

  /** Puts a drained backend back into service; ends a drain under way. @throws WslbError `WSLB_UNKNOWN_BACKEND` */
  restore(name: string): void {
    for (const { backend, pool } of this.#pools.find(name)) {
      this.#drains.cancel(backend)
      pool.setAdminState(backend, 'active')
    }
  }

  snapshot(): Snapshot {
    return snapshotOf(this.#pools, this.#listeners.addresses, this.#listeners.connections)
  }

  /** Stops accepting, lets what is open end within `drain`, cuts the rest. Idempotent; a second call without `drain` cuts at once. */
  async close({ drain = 0 }: CloseOptions = {}): Promise<void> {
    const patience = durationArgument('drain', drain)
    if (!this.#shutdown) {
      this.#options.signal?.removeEventListener('abort', this.#onAbort)
      const parts = {
        context: this.#context,
        listeners: this.#listeners,
        pools: this.#pools,
        drains: this.#drains,
        random: this.#random,
      }
      const { drain } = this.#config
      const over = Math.min(drain.over, patience / 2)
      this.#shutdown = new Shutdown(parts, { ...drain, over, deadline: patience })
    }
    if (patience === 0) this.#shutdown.cut()
    return this.#shutdown.done
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  on<K extends EventName>(name: K, listener: EventListener<K>): this {
    this.#events.on(name, listener)
    return this
  }

  once<K extends EventName>(name: K, listener: EventListener<K>): this {
    this.#events.once(name, listener)
    return this
  }

  off<K extends EventName>(name: K, listener: EventListener<K>): this {
    this.#events.off(name, listener)
    return this
  }

  readonly #onAbort = (): void => void this.close()

  /** The first sign of traffic starts the health loops where nobody calls `listen()`. */
  #arrive(message: IncomingMessage): IncomingRequest {
    if (!this.#shutdown) this.#pools.start()
    return arrival(message, this.#context.settings.trust)
  }

  /** One synchronous step: no request sees half of the old config and half of the new. */
  #swap(config: ResolvedConfig): Plan {
    const plan = { ...this.#pools.plan(config.pools), over: config.drain.over }
    this.#config = config
    const left = this.#pools.apply(config.pools)
    this.#context.settings = proxySettings(config, this.#pools.byName)
    setSweeps(this.#context, config)
    this.#context.httpPools.connectTimeout = config.timeouts.connect
    for (const member of left) {
      this.#context.httpPools.retire(member.backend)
      if (member.backend.load > 0) void this.#drains.start(member, config.drain)
    }
    this.#log.use(config.log)
    return plan
  }

  #assertOpen(): void {
    if (this.#shutdown) throw balancerClosed()
  }

  async #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(change)
    this.#changes = result.catch(() => {})
    return result
  }
}
