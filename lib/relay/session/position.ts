import { ConfigError } from '../../core/errors.ts'

/** "I have everything of `epoch` up to and with `offset`." */
export interface Mark {
  readonly epoch: string
  readonly offset: number
}

/** The epoch that began when the log stood at `offset`: what came later in an older epoch did not survive. */
export type Boundary = Mark

/**
 * Where a reader stands, newest mark first. The older marks say what it had when an epoch ended: a master that does not
 * know the newest epoch, since that one never reached it, may know an older one.
 */
export type Trail = readonly Mark[]

/** Where a subscriber stands: plain JSON, to be kept anywhere and given to `from` on any node. */
export interface Position extends Mark {
  /** Older marks, see {@link Trail}. */
  readonly trail?: Trail
  /** Publisher → number of its last message that was delivered: those who published of late. */
  readonly seen?: Readonly<Record<string, number>>
}

/** Where to begin: behind what is there, at the oldest entry that is kept, or behind what a reader has. */
export type Origin = 'now' | 'start' | Trail

const LONGEST_TRAIL = 4

/** The trail of a reader that stands at `offset` of the newest epoch. @param chain oldest boundary first */
export function trailOf(epoch: string, offset: number, chain: readonly Boundary[]): Trail {
  const trail: Mark[] = [{ epoch, offset }]
  let reached = offset
  for (let index = chain.length - 1; index > 0 && trail.length < LONGEST_TRAIL; index--) {
    reached = Math.min(reached, chain[index]!.offset)
    trail.push({ epoch: chain[index - 1]!.epoch, offset: reached })
  }
  return trail
}

/** @throws ConfigError for what is no position: it may have been kept by anybody */
export function originOf(from: unknown): Origin {
  if (from === 'now' || from === 'start') return from
  const { epoch, offset, trail = [], seen = {} } = (from ?? {}) as Partial<Record<keyof Position, unknown>>
  const marks: unknown[] = [{ epoch, offset }, ...(Array.isArray(trail) ? (trail as unknown[]) : [undefined])]
  const numbers = typeof seen === 'object' && seen !== null ? Object.values(seen) : [undefined]
  if (marks.every(isMark) && numbers.every(isCount)) return marks
  const message = 'expected "now", "start", or what position() of a subscription has given'
  throw new ConfigError([{ path: 'from', message }])
}

function isMark(value: unknown): value is Mark {
  const { epoch, offset } = (value ?? {}) as Partial<Mark>
  return typeof epoch === 'string' && isCount(offset)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
