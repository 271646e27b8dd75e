import { type Backend } from '../core/backend.ts'
import { MinHeap } from '../core/min-heap.ts'
import { type Policy } from './policy.ts'

/**
 * In turn, by weight. The n-th turn of a backend falls due at (n - ½) / weight, and the earliest comes first: over a
 * cycle the shares are exact, and a heavy backend's turns are spread out, not bunched. A pick costs the logarithm of
 * the number of candidates.
 */
export function roundRobin(): Policy {
  // By backend, not by array: the turn goes on when a candidate comes or goes.
  const turns = new WeakMap<Backend, Turn>()
  const queues = new WeakMap<readonly Backend[], MinHeap<Entry>>()
  let now = 0

  function turnOf(backend: Backend): Turn {
    let turn = turns.get(backend)
    if (!turn) turns.set(backend, (turn = { weight: 0, taken: 0, due: 0 }))
    const { weight } = backend
    // Whoever was away, or has another weight, begins with the turn that would come now.
    const missed = Math.ceil(now * weight - 0.5)
    if (turn.weight !== weight) turn.taken = missed
    else turn.taken = Math.max(turn.taken, missed)
    turn.weight = weight
    turn.due = (turn.taken + 0.5) / weight
    return turn
  }

  function queueOf(candidates: readonly Backend[]): MinHeap<Entry> {
    let queue = queues.get(candidates)
    if (queue) return queue
    const entries = candidates.map((backend, order) => {
      const turn = turnOf(backend)
      return { backend, order, turn, due: turn.due }
    })
    queues.set(candidates, (queue = new MinHeap(entries, isBefore)))
    return queue
  }

  return {
    name: 'round-robin',
    pick(candidates) {
      const queue = queueOf(candidates)
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
