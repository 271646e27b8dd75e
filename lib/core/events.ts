import { EventEmitter } from 'node:events'
import { type Attempted } from './attempted.ts'
import { type BackendEjectedEvent, type PoolPanicEvent } from './ejection-events.ts'
import { type WslbError } from './errors.ts'
import { type IncomingRequest } from './request.ts'
import {
  type BackendEvent,
  type BackendTroubleEvent,
  type BackendUpEvent,
  type BackendTunnelsEvent,
  type BackendDrainedEvent,
} from './backend-events.ts'

export type * from './backend-events.ts'

/** How far a drain has come. */
export interface DrainProgressEvent {
  /** The backend, `blue` or `chat/blue`; `*` for the shutdown of the whole balancer. */
  readonly target: string
  /** Tunnels and requests that are still open. */
  readonly left: number
  /** Milliseconds to the deadline. */
  readonly remaining: number
}

export interface RebalanceStartEvent {
  readonly pool: string
  /** Tunnels that are to be closed so that their clients go to other backends. */
  readonly surplus: number
}

export interface RebalanceDoneEvent {
  readonly pool: string
  /** Tunnels that were closed. */
  readonly closed: number
}

/** A pool that gets its backends from a source. */
export interface DiscoveryEvent {
  readonly pool: string
  /** Name of the source. */
  readonly source: string
}

export interface DiscoveryFailedEvent extends DiscoveryEvent {
  /** How many backends the pool goes on with. */
  readonly kept: number
  readonly error: WslbError
}

/** Backends by id; all three are empty when a list ends a trouble and changes nothing. */
export interface DiscoveryUpdateEvent extends DiscoveryEvent {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

export interface RequestDoneEvent extends Attempted {
  readonly request: IncomingRequest
  readonly pool: string | undefined
  /** The backend that answered, or the last one tried. */
  readonly backend: string | undefined
  readonly status: number
  /** Milliseconds from the request head to the end of the response. */
  readonly duration: number
  /** Body bytes. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly error: WslbError | undefined
}

/** Which side ended a tunnel first. */
export type ClosedBy = 'client' | 'backend' | 'balancer'

/**
 * Why a tunnel ended: `normal` by a closing handshake of the two peers, `error` without one (a peer vanished, reset
 * the connection or broke the protocol), or because the balancer decided so: a peer no longer answered (`ping`), said nothing for too long
 * (`idle`) or had been there for too long (`age`); its backend was drained, left the config or its source (`reload`), gave sockets
 * away (`rebalance`) or was declared `down`; somebody called `closeTunnel()` (`operator`), `hooks.onMessage` decided so
 * (`hook`), or the balancer stopped (`shutdown`).
 */
export type CloseCause =
  | 'normal'
  | 'error'
  | 'ping'
  | 'idle'
  | 'age'
  | 'drain'
  | 'reload'
  | 'rebalance'
  | 'down'
  | 'operator'
  | 'hook'
  | 'shutdown'

export interface TunnelEvent extends BackendEvent {
  /** Unique in this process. */
  readonly id: number
  /** The route that the request took, as the config names it: host and path; `*` without routes. */
  readonly route: string
  readonly request: IncomingRequest
  /** Of the `101`, in milliseconds since 1970 like `Date.now()`. */
  readonly openedAt: number
  /** Milliseconds from the request head to the `101`. */
  readonly handshake: number
}

/** What a tunnel has carried. */
export interface TunnelTraffic {
  /** Bytes that came from the client and from the backend. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Messages that came from the client and from the backend; control frames do not count. */
  readonly messagesIn: number
  readonly messagesOut: number
  /** Frames of any kind, those that wslb has answered itself included. */
  readonly framesIn: number
  readonly framesOut: number
  /** Milliseconds from the last Ping of ours to its Pong; `undefined` when none was answered. */
  readonly clientRtt: number | undefined
  readonly backendRtt: number | undefined
}

export interface TunnelOpenEvent extends TunnelEvent, Attempted {}

export interface TunnelCloseEvent extends TunnelEvent, TunnelTraffic {
  readonly closedBy: ClosedBy
  readonly cause: CloseCause
  /** Code of the Close frame of whoever closed first; 1006 when it left without one (RFC 6455 §7.1.5). */
  readonly closeCode: number
  /** Code of the Close frame that came from the client and from the backend; `undefined` when none did. */
  readonly closeCodeIn: number | undefined
  readonly closeCodeOut: number | undefined
  /** Milliseconds since the `101`. */
  readonly duration: number
  readonly error: Error | undefined
}

export interface UpgradeRejectEvent extends Attempted {
  readonly request: IncomingRequest
  readonly pool: string | undefined
  readonly backend: string | undefined
  readonly status: number
  readonly duration: number
  /** Absent when the backend itself answered with something other than a `101`, or a hook did. */
  readonly error: WslbError | undefined
}

/** What a reload did, or would do. Backends are named by id, or `pool/id` outside the default pool. */
export interface Plan {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Kept, with other settings (weight, limits, …). */
  readonly changed: readonly string[]
  /** Kept as they were. */
  readonly kept: readonly string[]
  /** Pools that get a new source, as `chat from dns(chat.internal:3000)`: they keep what they have until it gives a list. */
  readonly sources: readonly string[]
  readonly tunnelsKept: number
  readonly tunnelsDrained: number
  /** Milliseconds over which the drained ones are closed: `drain.over` of the new config. */
  readonly over: number
  /** Urls. Plain and TLS on one port are two listeners. */
  readonly listeners: { readonly added: readonly string[]; readonly removed: readonly string[] }
  /** Names of other options that differ, e.g. `drain`, `pools.chat.balance`; what functions do is not compared. */
  readonly options: readonly string[]
  /** What is valid and yet hardly meant, e.g. a pool without a backend that takes clients. */
  readonly warnings: readonly string[]
}

/** Every event of a balancer. There is no `error` event: errors are part of what they happened to. */
export interface BalancerEvents {
  'backend:up': BackendUpEvent
  'backend:suspect': BackendTroubleEvent
  'backend:down': BackendTroubleEvent
  'backend:tunnels': BackendTunnelsEvent
  'backend:ejected': BackendEjectedEvent
  'backend:readmitted': BackendEvent
  'backend:added': BackendEvent
  'backend:removed': BackendEvent
  'backend:draining': BackendEvent
  'backend:drained': BackendDrainedEvent
  'pool:panic': PoolPanicEvent
  'pool:calm': PoolPanicEvent
  'drain:progress': DrainProgressEvent
  /** Told once for each kind of failure, until there is a list again. */
  'discovery:failed': DiscoveryFailedEvent
  'discovery:update': DiscoveryUpdateEvent
  'rebalance:start': RebalanceStartEvent
  'rebalance:done': RebalanceDoneEvent
  'tunnel:open': TunnelOpenEvent
  'tunnel:close': TunnelCloseEvent
  'upgrade:reject': UpgradeRejectEvent
  'request:done': RequestDoneEvent
  'listener:error': { readonly address: string; readonly error: Error }
  'config:reload': { readonly plan: Plan }
  'config:reject': { readonly error: WslbError }
}

export type EventName = keyof BalancerEvents
export type EventListener<K extends EventName> = (event: BalancerEvents[K]) => void

/** What the parts of the balancer need to tell something. */
export interface EventSink {
  emit<K extends EventName>(name: K, event: BalancerEvents[K]): void
  /** Whether telling is worth the work of making the event. */
  wants(name: EventName): boolean
  /** Makes a change in one step; what happens in it is told when it is complete. */
  after<T>(change: () => T): T
}

/**
 * Typed events. A listener that throws breaks neither the balancer nor the other listeners:
 * its error is handed to `onListenerError`.
 */
export class Events implements EventSink {
  readonly #emitter = new EventEmitter()
  readonly #onListenerError: (error: unknown, event: EventName) => void
  /** What has happened in a change that is under way. */
  #held: (() => void)[] | undefined

  constructor(onListenerError: (error: unknown, event: EventName) => void) {
    this.#onListenerError = onListenerError
  }

  on<K extends EventName>(name: K, listener: EventListener<K>): void {
    this.#emitter.on(name, listener)
  }

  once<K extends EventName>(name: K, listener: EventListener<K>): void {
    this.#emitter.once(name, listener)
  }

  off<K extends EventName>(name: K, listener: EventListener<K>): void {
    this.#emitter.off(name, listener)
  }

  wants(name: EventName): boolean {
    return this.#emitter.listenerCount(name) > 0
  }

  after<T>(change: () => T): T {
    // Part of a greater one.
    if (this.#held) return change()
    const held: (() => void)[] = (this.#held = [])
    try {
      return change()
    } finally {
      this.#held = undefined
      for (const tell of held) tell()
    }
  }

  emit<K extends EventName>(name: K, event: BalancerEvents[K]): void {
    if (this.#held) return void this.#held.push(() => this.emit(name, event))
    for (const listener of this.#emitter.rawListeners(name) as EventListener<K>[]) {
      try {
        // The type says void, but an async function fits it.
        const result: unknown = listener.call(this.#emitter, event)
        if (result instanceof Promise) result.catch((error: unknown) => this.#onListenerError(error, name))
      } catch (error) {
        this.#onListenerError(error, name)
      }
    }
  }
}
