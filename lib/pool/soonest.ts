import { type Backend } from '../core/backend.ts'
import { WslbError } from '../core/errors.ts'
import { type Candidates } from './candidates.ts'

/**
 * Who takes a handshake soonest: of the best candidates all that take one at once, or else those with the shortest
 * wait. When everybody there is busy for longer than `maxWait` the next best are asked, but not those that are down:
 * they are for the time when all are.
 * @param now and `maxWait` in milliseconds
 * @throws WslbError `WSLB_TOO_MANY_HANDSHAKES`
 */
export function soonest(
  candidates: Candidates,
  tried: ReadonlySet<Backend> | undefined,
  now: number,
  maxWait: number,
): readonly Backend[] {
  const passed = new Set(tried)
  let shortest = Infinity
  for (;;) {
    const group = candidates.list(passed)
    const othersAreBusy = shortest < Infinity
    if (group.length === 0 || (othersAreBusy && group[0]!.health === 'down'))
      throw tooManyHandshakes(shortest)
    const waits = group.map(({ handshakes }) => handshakes.wait(now))
    const least = Math.min(...waits)
    if (least <= maxWait) return group.filter((_, index) => waits[index] === least)
    shortest = Math.min(shortest, least)
    for (const backend of group) passed.add(backend)
  }
}

function tooManyHandshakes(wait: number): WslbError {
  return new WslbError('WSLB_TOO_MANY_HANDSHAKES', 'every backend has as many new WebSockets as it takes', {
    retryAfter: Math.max(1, Math.ceil(wait / 1_000)),
  })
}
