import { type Backend, type Health } from '../../lib/core/backend.ts'
import { type EventName } from '../../lib/core/events.ts'
import { HealthMonitor } from '../../lib/health/monitor.ts'
import { DEFAULT_HEALTH, type HealthOptions } from '../../lib/health/options.ts'
import { ManualClock } from './clock.ts'
import { plainBackend } from './plain.ts'
import { seededRandom } from './random.ts'

/** A monitor of many backends on a clock of its own, and what becomes of them. */
export function monitored(ids: readonly string[], options: Partial<HealthOptions>) {
  const clock = new ManualClock()
  const backends = ids.map((id) => plainBackend(id))
  const told: { readonly name: EventName; readonly reason: string }[] = []
  const changes: Health[] = []
  const events = {
    emit: (name: EventName, event: object) => void told.push({ name, ...(event as { reason: string }) }),
    wants: () => true,
    after: <T>(change: () => T) => change(),
  }
  const dial = () => Promise.reject(new Error('unused'))
  const deps = { events, clock, random: seededRandom(1), dial }
  const monitor = new HealthMonitor('default', deps, ({ health }: Backend) => void changes.push(health))
  monitor.watch(new Map(backends.map((backend) => [backend, { ...DEFAULT_HEALTH, ...options }])))
  return { clock, backends, told, changes, monitor }
}
