import { type Balancer } from '../balancer.ts'
import { type DrainOptions } from '../balancer-types.ts'
import { type Problem } from '../config/problems.ts'
import { fullName } from '../core/backend.ts'
import { systemClock } from '../core/clock.ts'
import { ConfigError } from '../core/errors.ts'
import { durationArgument } from '../core/duration.ts'
import { type BackendDrainedEvent, type DrainProgressEvent } from '../core/events.ts'
import { targeted } from '../pool/target.ts'
import { type BackendSnapshot } from '../snapshot.ts'
import { type Call, textOf } from './call.ts'
import { Refused } from './refused.ts'

/** The result of `drain`. Backends are named by id, or `pool/id` outside the default pool. */
export interface DrainResult {
  readonly target: string
  readonly backends: readonly string[]
  /** Those with nothing left on them; the others were restored meanwhile. Without `wait` it is too early to know. */
  readonly drained: readonly string[]
  /** Tunnels and requests that were cut at the deadline. */
  readonly cut: number
  /** What is under way when it returns. */
  readonly drains: readonly DrainProgress[]
}

/** Told by a `drain` that waits. */
export interface DrainProgress extends DrainProgressEvent {
  /** It was under way before. */
  readonly joined?: true
}

/** The result of `restore`. */
export type RestoreResult = Pick<DrainResult, 'target' | 'backends'>

/** Told by a `restore` that waits. */
export interface RestoreProgress {
  /** The name of one that is up. */
  readonly up: string
}

/** Begins a drain and, with `wait`, tells how far it has come until it is over. A client that leaves does not stop it. */
export async function drain(balancer: Balancer, call: Call): Promise<DrainResult> {
  const target = textOf(call, 'target')
  const { wait } = call.input
  const options = optionsOf(call)
  const backends = membersOf(backendsOf(balancer), target).map(fullName)
  const underWay = () =>
    balancer.snapshot({ tunnels: false }).drains.filter((drain) => backends.includes(drain.target))
  const joined = new Set(underWay().map((drain) => drain.target))
  const asJoined = (drain: DrainProgressEvent): DrainProgress =>
    joined.has(drain.target) ? { ...drain, joined: true } : drain
  const untold = new Set(joined)
  const drained = new Set<string>()
  let cut = 0
  const onProgress = (event: DrainProgressEvent) => {
    if (!wait || !backends.includes(event.target)) return
    call.progress(untold.delete(event.target) ? { ...event, joined: true } : event)
  }
  const onDrained = (event: BackendDrainedEvent) => {
    const name = fullName({ id: event.backend, pool: event.pool })
    if (!backends.includes(name)) return
    drained.add(name)
    cut += event.cut
  }
  balancer.on('drain:progress', onProgress).on('backend:drained', onDrained)
  try {
    const over = balancer.drain(target, options)
    // A drain that joins another one without hurrying it is not announced.
    for (const drain of underWay()) if (untold.has(drain.target)) onProgress(drain)
    // What is refused is refused already.
    await Promise.race([over, wait ? aborted(call.signal) : undefined])
  } finally {
    balancer.off('drain:progress', onProgress).off('backend:drained', onDrained)
  }
  return { target, backends, drained: [...drained], cut, drains: underWay().map(asJoined) }
}

/** What is in them is checked by who uses them. @throws ConfigError */
function optionsOf({ input: { options = {} } }: Call): DrainOptions {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options
  throw new ConfigError([{ path: 'options', message: 'expected an object' }])
}

/** Puts what was drained back into service and, with `wait`, waits until all of it is up. */
export async function restore(balancer: Balancer, call: Call, clock = systemClock): Promise<RestoreResult> {
  const target = textOf(call, 'target')
  const { wait, deadline } = call.input
  const limit = wait ? durationArgument('deadline', deadline) : 0
  balancer.restore(target)
  const members = membersOf(backendsOf(balancer), target)
  if (wait) {
    const late = new AbortController()
    const timer = clock.schedule(limit, () => late.abort())
    const signal = AbortSignal.any([late.signal, call.signal])
    const waits = members.map(async ({ id, pool }) => {
      await balancer.whenUp(`${pool}/${id}`, { signal })
      call.progress({ up: fullName({ id, pool }) } satisfies RestoreProgress)
    })
    const outcomes = await Promise.allSettled(waits)
    timer.cancel()
    const missed = members.filter((_member, index) => outcomes[index]!.status === 'rejected')
    if (missed.length > 0) throw new Refused(missed.map((member) => stillDown(balancer, member)))
  }
  return { target, backends: members.map(fullName) }
}

function stillDown(balancer: Balancer, { id, pool }: Named): Problem {
  const backend = backendsOf(balancer).find((one) => one.id === id && one.pool === pool)
  const how = !backend
    ? 'has left the config'
    : backend.health === 'up'
      ? 'has not answered'
      : `is still ${backend.health}: ${backend.trouble}`
  return { message: `${fullName({ id, pool })} ${how}` }
}

type Named = Pick<BackendSnapshot, 'id' | 'pool'>

function backendsOf(balancer: Balancer): readonly BackendSnapshot[] {
  return balancer.snapshot({ tunnels: false }).backends
}

function membersOf(backends: readonly BackendSnapshot[], target: string): Named[] {
  return targeted(target, backends, (backend) => backend)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
