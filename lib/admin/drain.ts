import { type Balancer } from '../balancer.ts'
import { type DrainOptions } from '../balancer-types.ts'
import { fullName } from '../core/backend.ts'
import { type BackendDrainedEvent, type DrainProgressEvent } from '../core/events.ts'
import { targeted } from '../pool/target.ts'
import { type Call, textOf } from './call.ts'

/** The result of `drain`. Backends are named by id, or `pool/id` outside the default pool. */
export interface DrainResult {
  readonly target: string
  readonly backends: readonly string[]
  /** Those with nothing left on them; the others were restored meanwhile. Without `wait` it is too early to know. */
  readonly drained: readonly string[]
  /** Tunnels and requests that were cut at the deadline. */
  readonly cut: number
}

/** The result of `restore`. */
export type RestoreResult = Pick<DrainResult, 'target' | 'backends'>

/** Begins a drain and, with `wait`, tells how far it has come until it is over. A client that leaves does not stop it. */
export async function drain(balancer: Balancer, call: Call): Promise<DrainResult> {
  const target = textOf(call, 'target')
  const { wait, options = {} } = call.input
  const backends = namesOf(balancer, target)
  const drained = new Set<string>()
  let cut = 0
  const onProgress = (event: DrainProgressEvent) => {
    if (backends.includes(event.target)) call.progress(event)
  }
  const onDrained = (event: BackendDrainedEvent) => {
    const name = fullName({ id: event.backend, pool: event.pool })
    if (!backends.includes(name)) return
    drained.add(name)
    cut += event.cut
  }
  balancer.on('drain:progress', onProgress).on('backend:drained', onDrained)
  try {
    // A drain that joins another one is not announced.
    if (wait) balancer.snapshot().drains.forEach(onProgress)
    const over = balancer.drain(target, options as DrainOptions)
    // What is refused is refused already.
    await Promise.race([over, wait ? aborted(call.signal) : undefined])
  } finally {
    balancer.off('drain:progress', onProgress).off('backend:drained', onDrained)
  }
  return { target, backends, drained: [...drained], cut }
}

/** Puts what was drained back into service. */
export function restore(balancer: Balancer, call: Call): RestoreResult {
  const target = textOf(call, 'target')
  balancer.restore(target)
  return { target, backends: namesOf(balancer, target) }
}

function namesOf(balancer: Balancer, target: string): string[] {
  return targeted(target, balancer.snapshot().backends, (backend) => backend).map(fullName)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
