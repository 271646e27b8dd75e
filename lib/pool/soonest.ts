import { type Backend } from '../core/backend.ts'
import { WslbError } from '../core/errors.ts'
import { type Candidates } from './candidates.ts'
import { isOut } from './is-out.ts'

/**
 * Who takes a handshake soonest: of the best candidates all that take one at once, or else those with the shortest
 * wait. When everybody there is busy for longer than `maxWait` the next best are asked, but not those that are out:
 * they are for the time when all are. Whoever starts slowly and has got enough is asked when nobody else takes it.
 * @param now and `maxWait` in milliseconds
 * @throws WslbError `WSLB_TOO_MANY_HANDSHAKES`
 */
export function soonest(
  candidates: Candidates,
  tried: ReadonlySet<Backend> | undefined,
  now: number,
  maxWait: number,
): readonly Backend[] {
  const spared = ({ handshakes, starts }: Backend) =>
    starts.wait(now) === 0 ? handshakes.wait(now) : Infinity
  const found = shortest(candidates, tried, maxWait, spared)
  if (found.backends) return found.backends
  const { backends, wait } = shortest(candidates, tried, maxWait, ({ handshakes }) => handshakes.wait(now))
  if (backends) return backends
  throw tooManyHandshakes(wait)
}

interface Found {
  readonly backends: readonly Backend[] | undefined
  /** Milliseconds, the shortest of all that were asked. */
  readonly wait: number
}

function shortest(
  candidates: Candidates,
  tried: ReadonlySet<Backend> | undefined,
  maxWait: number,
  waitOf: (backend: Backend) => number,
): Found {
  const passed = new Set(tried)
  let shortest = Infinity
  for (let othersAreBusy = false; ; othersAreBusy = true) {
    const group = candidates.list(passed)
    if (group.length === 0 || (othersAreBusy && isOut(group[0]!)))
      return { backends: undefined, wait: shortest }
    const waits = group.map(waitOf)
    const least = waits.reduce((least, wait) => Math.min(least, wait))
    if (least <= maxWait) {
      return { backends: Object.freeze(group.filter((_, index) => waits[index] === least)), wait: least }
    }
    shortest = Math.min(shortest, least)
    for (const backend of group) passed.add(backend)
  }
}

function tooManyHandshakes(wait: number): WslbError {
  return new WslbError('WSLB_TOO_MANY_HANDSHAKES', 'every backend has as many new WebSockets as it takes', {
    retryAfter: Math.max(1, Math.ceil(wait / 1_000)),
  })
}
