import { type IncomingMessage } from 'node:http'
import { type Clock, type Random } from './core/clock.ts'
import { type CloseCause, Events, type EventName, type Plan } from './core/events.ts'
import { type IncomingRequest } from './core/request.ts'
import { changedOptions } from './config/changed-options.ts'
import { type ResolvedConfig } from './config/resolved.ts'
import { arrival } from './listener/arrival.ts'
import { Listeners } from './listener/listeners.ts'
import { type Member, Pools } from './pool/pools.ts'
import { type ProxyContext } from './proxy/context.ts'
import { type Controls } from './proxy/controls.ts'
import { DownWatch } from './proxy/down-watch.ts'
import { type DrainPlan, Drains } from './proxy/drain.ts'
import { forward } from './proxy/forward.ts'
import { Rebalances } from './proxy/rebalance.ts'
import { Sweeps } from './proxy/sweeps.ts'
import { Tunnels } from './proxy/tunnels.ts'
import { upgrade } from './proxy/upgrade.ts'
import { Waits } from './proxy/waits.ts'
import { proxySettings } from './proxy-settings.ts'
import { dial } from './upstream/dial.ts'
import { HttpPools } from './upstream/http-pools.ts'
import { unserved } from './unserved.ts'

export interface EngineOptions {
  readonly clock: Clock
  readonly random: Random
  /** What hooks can call. */
  readonly controls: Controls
  readonly onListenerError: (error: unknown, event: EventName) => void
}

/** The parts of a balancer, put together: what they are is in their files, who knows whom is here. */
export class Engine {
  readonly events: Events
  readonly pools: Pools
  readonly tunnels = new Tunnels()
  readonly waits = new Waits()
  readonly drains: Drains
  readonly downWatch: DownWatch
  readonly rebalances: Rebalances
  readonly listeners: Listeners
  readonly context: ProxyContext
  #config: ResolvedConfig

  constructor(config: ResolvedConfig, { clock, random, controls, onListenerError }: EngineOptions) {
    const events = (this.events = new Events(onListenerError))
    const { tunnels, waits } = this
    this.#config = config
    this.downWatch = new DownWatch({ clock, random, events, tunnels, closes: () => this.#config.drain })
    this.pools = new Pools({
      events,
      clock,
      random,
      dial: (backend, signal, port) =>
        dial(backend, { clock, signal, port, unref: true, timeout: this.#config.timeouts.connect }),
      tunnelsOf: (backend) => tunnels.of(backend),
      onChange: (backend, pool) => {
        this.downWatch.review(backend, pool.healthOf(backend)?.onDown)
        if (backend.adminState !== 'active') waits.end(backend)
      },
      onUpdate: (left) => this.#left(left),
    })
    this.pools.apply(this.pools.withPresent(config.pools))
    this.drains = new Drains({ clock, random, events, tunnels })
    this.rebalances = new Rebalances({ clock, random, events, tunnels, code: () => this.#config.drain.code })
    this.context = {
      settings: proxySettings(config, this.pools.byName),
      state: 'open',
      events,
      clock,
      random,
      httpPools: new HttpPools(clock, config.timeouts.connect),
      tunnels,
      pending: new Set(),
      waits,
      controls,
      rebalances: this.rebalances,
      sweeps: new Sweeps(clock, tunnels, config.websocket),
    }
    this.listeners = new Listeners({
      onRequest: (message, response, awaitsContinue) =>
        void forward(this.context, this.arrive(message), message, response, awaitsContinue),
      onUpgrade: (message, socket, head) => void upgrade(this.context, this.arrive(message), socket, head),
      onError: (error, address) => events.emit('listener:error', { address, error }),
    })
  }

  /** The config in service. */
  get config(): ResolvedConfig {
    return this.#config
  }

  /** The first sign of traffic starts the health loops where nobody calls `listen()`. */
  arrive(message: IncomingMessage): IncomingRequest {
    if (this.context.state === 'open') this.pools.start()
    return arrival(message, this.context.settings.trust)
  }

  /** What {@link apply} would do, without doing it. */
  plan(config: ResolvedConfig): Plan {
    const pools = this.pools.withPresent(config.pools)
    return {
      ...this.pools.plan(pools),
      over: config.drain.over,
      listeners: this.listeners.plan(config.listen),
      options: changedOptions(this.#config, config),
      warnings: unserved({ ...config, pools }, this.pools.byName),
    }
  }

  /** One synchronous step: no request sees half of the old config and half of the new. */
  apply(config: ResolvedConfig): void {
    const { context, pools } = this
    this.#config = config
    const left = pools.apply(pools.withPresent(config.pools))
    context.settings = proxySettings(config, pools.byName)
    context.sweeps.times = config.websocket
    context.httpPools.connectTimeout = config.timeouts.connect
    this.#left(left)
  }

  #left(left: readonly Member[]): void {
    this.rebalances.reconfigure([...this.pools.byName.values()])
    for (const member of left) void this.empty(member, this.#config.drain, 'reload')
  }

  /** Ends what runs on a backend that gets no new work; its idle connections at once. */
  empty(member: Member, plan: DrainPlan, cause: CloseCause, hurry = false): Promise<void> {
    const { backend } = member
    this.context.httpPools.retire(backend)
    // Whoever has left with nothing on it is not drained but gone.
    if (cause === 'reload' && backend.load === 0) return Promise.resolve()
    return this.drains.start(member, plan, cause, hurry)
  }
}
