import { type DrainProgressEvent } from '../core/events.ts'
import { thousands } from './thousands.ts'

/** How far a drain has come: `draining blue: 311 left, 84 s`. */
export function describeDrain({ target, left, remaining }: DrainProgressEvent): string {
  const what = target === '*' ? 'stopping' : `draining ${target}`
  return `${what}: ${thousands(left)} left, ${Math.ceil(remaining / 1_000)} s`
}
