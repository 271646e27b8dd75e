import { type Balancer, createBalancer } from '../../lib/balancer.ts'
import { type BalancerOptions } from '../../lib/balancer-types.ts'
import { type Config } from '../../lib/config/config.ts'
import { type BalancerEvents, type EventName } from '../../lib/core/events.ts'
import { type Policy } from '../../lib/balancing/policy.ts'
import { roundRobin } from '../../lib/balancing/round-robin.ts'
import { FastClock } from './clock.ts'
import { until } from './until.ts'

/** The part of tap's test object that the support needs. */
export interface Scope {
  teardown(callback: () => unknown): void
}

export interface TestBalancer {
  readonly balancer: Balancer
  readonly port: number
  readonly url: string
  /** Settles with the next event of that name. */
  readonly next: <K extends EventName>(name: K) => Promise<BalancerEvents[K]>
}

/** Time in the balancer of a test runs that much faster: `'2s'` in its config are 100 ms. */
export const SPEED = 20

/** The candidates in the order of the config: makes failover predictable. */
export const inOrder: Policy = { name: 'in-order', pick: (candidates) => candidates[0]! }

/** Round-robin that begins with the first backend of the config, not anywhere. */
export function inTurn(): Policy {
  const policy = roundRobin()
  return { ...policy, pick: (candidates, request) => policy.pick(candidates, request, () => 0) }
}

/**
 * Opens a balancer on a port of its own, without a health loop unless the config says otherwise. When the test is
 * over, and before the balancer is closed, every client connection, tunnel and lease must have gone by itself;
 * afterwards every timer too.
 */
export async function startBalancer(
  t: Scope,
  config: Config,
  options: BalancerOptions = {},
): Promise<TestBalancer> {
  const clock = new FastClock(SPEED)
  // What stands at the top level is about the backends there.
  const shorthand = config.backends && { balance: inOrder, health: false as const }
  const balancer = createBalancer(
    { listen: { port: 0, host: '127.0.0.1' }, ...shorthand, ...config },
    { clock, ...options },
  )
  const [listener] = await balancer.listen()
  t.teardown(async () => {
    try {
      await until(() => leftovers(balancer) === '', 'nothing to be left open').catch((error: Error) => {
        throw new Error(`${error.message}; left: ${leftovers(balancer)}`)
      })
    } finally {
      await balancer.close()
    }
    if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
  })
  const { port = 0, protocol = 'http' } = listener ?? {}
  return {
    balancer,
    port,
    url: `${protocol}://127.0.0.1:${port}`,
    next: (name) => new Promise((resolve) => balancer.once(name, resolve)),
  }
}

function leftovers(balancer: Balancer): string {
  const { connections, backends, tunnels, drains } = balancer.snapshot()
  return [
    connections > 0 ? `${connections} client connections` : '',
    tunnels.length > 0 ? `${tunnels.length} tunnels` : '',
    ...drains.map(({ target }) => `the drain of ${target}`),
    ...backends.map(({ id, load, tunnels, waiting }) =>
      load + tunnels > 0 || waiting !== 0 ? `${id}: ${load} leases, ${tunnels} tunnels, ${waiting} wait` : '',
    ),
  ]
    .filter((text) => text !== '')
    .join(', ')
}
