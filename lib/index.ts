export { createBalancer } from './balancer.ts'
export type { Balancer } from './balancer.ts'
export type * from './balancer-types.ts'
export { defineConfig } from './config/config.ts'
export type * from './config/config.ts'
export { loadConfig } from './config/load-config.ts'
export type { LoadConfigOptions } from './config/load-config.ts'
export { ConfigError, WslbError } from './core/errors.ts'
export type { Blame, ConfigProblem, ErrorCode } from './core/errors.ts'
export type { Attempted, Retry } from './core/attempted.ts'
export type { BackendEjectedEvent, PoolPanicEvent } from './core/ejection-events.ts'
export type {
  BackendDrainedEvent,
  BackendEvent,
  BackendTroubleEvent,
  BackendTunnelsEvent,
  BackendUpEvent,
  BalancerEvents,
  CloseCause,
  ClosedBy,
  DiscoveryEvent,
  DiscoveryFailedEvent,
  DiscoveryUpdateEvent,
  DrainProgressEvent,
  EventListener,
  EventName,
  Plan,
  RebalanceDoneEvent,
  RebalanceStartEvent,
  RequestDoneEvent,
  TunnelCloseEvent,
  TunnelEvent,
  TunnelOpenEvent,
  TunnelTraffic,
  UpgradeRejectEvent,
} from './core/events.ts'
export type { AdminState, Backend, BackendTls, Health, ProbeResult } from './core/backend.ts'
export type { Clock, Random, Timer } from './core/clock.ts'
export type { Duration } from './core/duration.ts'
export type { HeaderEdits } from './core/header-edits.ts'
export type { Logger, LogLevel } from './core/logger.ts'
export type { IncomingRequest } from './core/request.ts'
export type { Policy } from './balancing/policy.ts'
export { hash } from './balancing/hash.ts'
export type { HashOptions } from './balancing/hash.ts'
export { leastConnections } from './balancing/least-connections.ts'
export { leastTime } from './balancing/least-time.ts'
export { p2c } from './balancing/p2c.ts'
export { random } from './balancing/random.ts'
export { roundRobin } from './balancing/round-robin.ts'
export { clientIp, cookieValue, header, pathSegment, query } from './core/request-key.ts'
export type { RequestKey } from './core/request-key.ts'
export { hashBy } from './sticky/hash-by.ts'
export type { StickyStrategy } from './sticky/strategy.ts'
export type { AnswerHeaders, AnswerObserver } from './sticky/answer-observer.ts'
export type { MemoryLimits, StickyMemory } from './sticky/memory.ts'
export { learned } from './sticky/learned.ts'
export type { LearnedName, LearnedOptions } from './sticky/learned.ts'
export type { LearnedRule } from './sticky/learned-rule.ts'
export { stickyCookie } from './sticky/cookie.ts'
export type { StickyCookieOptions } from './sticky/cookie.ts'
export type { SourceContext, SourceOf } from './discovery/source.ts'
export { dns } from './discovery/dns.ts'
export type { DnsOptions } from './discovery/dns.ts'
export type { DnsResolver } from './discovery/dns-lookup.ts'
export type { DnsName, ServiceName } from './discovery/dns-target.ts'
export { file } from './discovery/file.ts'
export { poll } from './discovery/poll.ts'
export { redis } from './discovery/redis.ts'
export type { RedisOptions } from './discovery/redis.ts'
export type { RedisClient } from './discovery/redis-client.ts'
export type { PollFunction, PollOptions } from './discovery/poll.ts'
export { httpProbe } from './health/http-probe.ts'
export type { ExpectedStatus, HttpExpectation, HttpProbeOptions } from './health/http-probe.ts'
export { tcpProbe } from './health/tcp-probe.ts'
export { websocketProbe } from './health/websocket-probe.ts'
export type { WebsocketProbeOptions } from './health/websocket-probe.ts'
export type { Probe, ProbeContext } from './health/probe.ts'
export type { Controls, RebalanceResult } from './proxy/controls.ts'
export type { DrainOrder } from './proxy/drain-order.ts'
export type { CloseReason } from './proxy/tunnel-options.ts'
export type {
  Candidate,
  Hook,
  HookAnswer,
  HookContext,
  Hooks,
  RequestHooks,
  RouteHooks,
  SelectContext,
  SelectHook,
} from './proxy/hooks.ts'
export type {
  Message,
  MessageContext,
  MessageHook,
  MessageHookOptions,
  MessageSender,
  MessageVerdict,
} from './proxy/message-hook.ts'
export type { ListenerAddress } from './listener/listener.ts'
export type {
  BackendSnapshot,
  PoolSnapshot,
  Snapshot,
  SnapshotOptions,
  SourceSnapshot,
  TunnelSnapshot,
} from './snapshot.ts'
