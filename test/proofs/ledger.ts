import { type Heard } from './echo-server.ts'
import { type Visit } from './talker.ts'

/**
 * Compares what talkers have sent and got back with what backends have heard.
 * @param visits of each talker, in order
 * @returns what was lost, doubled or out of order; nothing, when all is well
 */
export function losses(visits: readonly (readonly Visit[])[], heard: readonly Heard[]): string[] {
  const byVisit = new Map(heard.map((entry) => [`${entry.client}/${entry.visit}`, entry]))
  return visits.flatMap((all, client) =>
    all.flatMap((visit, index) => {
      const name = `${client}/${index}`
      const entry = byVisit.get(name)
      if (!entry) return [`${name}: ${visit.backend} has not heard of it`]
      return [
        visit.broken && `${name}: the client got ${visit.broken}`,
        entry.broken && `${name}: ${entry.backend} got ${entry.broken}`,
        entry.backend !== visit.backend &&
          `${name}: ${entry.backend} heard what ${visit.backend} should have`,
        entry.received !== visit.sent && `${name}: ${visit.sent} sent, ${entry.received} heard`,
        visit.echoed > entry.received && `${name}: ${visit.echoed} echoes of ${entry.received}`,
      ].filter((text) => typeof text === 'string')
    }),
  )
}

/** How evenly sockets were closed. Times in milliseconds. */
export interface Evenness {
  readonly closedAt: readonly number[]
  /** The time they were to be closed in. */
  readonly over: number
  /** For how long the machine kept the clients from noticing: as much more may come at once. */
  readonly stall: number
}

/** Says whether in any second more than 1.5 times the mean were closed, wherever the second begins. */
export function evenness({ closedAt, over, stall }: Evenness): { even: boolean; text: string } {
  const mean = (closedAt.length * 1_000) / over
  const highest = most(closedAt, 1_000)
  const text = `closes a second: ${Math.round(mean)} on average, ${highest} at most; stall ${Math.round(stall)} ms`
  return { even: highest <= 1.5 * mean * (1 + stall / 1_000), text }
}

function most(times: readonly number[], span: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  let first = 0
  return sorted.reduce((highest, time, last) => {
    while (time - sorted[first]! >= span) first++
    return Math.max(highest, last - first + 1)
  }, 0)
}
