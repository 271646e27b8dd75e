import { type Backend } from '../core/backend.ts'
import { type Random } from '../core/clock.ts'
import { MinHeap } from '../core/min-heap.ts'
import { type Policy } from './policy.ts'
import { drawByWeight } from './weighted-draw.ts'

/** The first turn is one of so many of its backend: enough to begin anywhere in a cycle. */
const PHASES = 1_000

/**
 * In turn, by weight. The n-th turn of a backend falls due at (n - ½) / weight, and the earliest comes first: over a
 * cycle the shares are exact, and a heavy backend's turns are spread out, not bunched. It begins anywhere in the
 * cycle, by chance: else each process, and each reload, would begin with the same backends. A pick costs the logarithm of the
 * number of candidates.
 */
export function roundRobin(): Policy {
  // By backend, not by array: the turn goes on when a candidate comes or goes.
  const turns = new WeakMap<Backend, Turn>()
  const queues = new WeakMap<readonly Backend[], MinHeap<Entry>>()
  let now: number | undefined
  /** Place in the config of the one that comes first when several are due at once. */
  let head = 0

  /** A turn by chance of a backend by chance, in proportion to the weights: the first one. */
  function begin(candidates: readonly Backend[], chance: Random): number {
    head = drawByWeight(candidates, chance)
    return (Math.floor(chance() * PHASES) + 0.5) / candidates[head]!.weight
  }

  function turnOf(backend: Backend, now: number): Turn {
    let turn = turns.get(backend)
    if (!turn) turns.set(backend, (turn = { weight: 0, taken: 0, due: 0 }))
    const { weight } = backend
    // Whoever was away, or has another weight, begins with the turn that would come now.
    const missed = Math.ceil(now * weight * ROUNDING - 0.5)
    if (turn.weight !== weight) turn.taken = missed
    else turn.taken = Math.max(turn.taken, missed)
    turn.weight = weight
    turn.due = (turn.taken + 0.5) / weight
    return turn
  }

  function queueOf(candidates: readonly Backend[], now: number): MinHeap<Entry> {
    let queue = queues.get(candidates)
    if (queue) return queue
    const { length } = candidates
    const entries = candidates.map((backend, index) => {
      const turn = turnOf(backend, now)
      const order = (index - (head % length) + length) % length
      return { backend, order, turn, due: turn.due }
    })
    queues.set(candidates, (queue = new MinHeap(entries, isBefore)))
    return queue
  }

  return {
    name: 'round-robin',
    pick(candidates, _request, chance) {
      now ??= begin(candidates, chance)
      const queue = queueOf(candidates, now)
      for (;;) {
        const entry = queue.top!
        const { backend, turn } = entry
        const isDue = entry.due === turn.due
        if (isDue) {
          now = Math.max(now, turn.due)
          // Not a sum of steps: that would drift.
          turn.due = (++turn.taken + 0.5) / turn.weight
        }
        entry.due = turn.due
        queue.sinkTop()
        // Else it has had that turn as a candidate of another list.
        if (isDue) return backend
      }
    },
  }
}

/** A turn that is due now is not missed, though (k / weight) * weight may be a little more than k. */
const ROUNDING = 1 - 4 * Number.EPSILON

interface Turn {
  weight: number
  /** Turns it has had, or missed. */
  taken: number
  /** When the next one falls due, in cycles. */
  due: number
}

/** A backend in a queue, with its turn as the queue knows it. Turns only move back, so the top one alone is checked. */
interface Entry {
  readonly backend: Backend
  readonly order: number
  readonly turn: Turn
  due: number
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order)
}
