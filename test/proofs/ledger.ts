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

/** The most events that came within `span`, wherever it begins. Times and span in the same unit. */
export function most(times: readonly number[], span: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  let first = 0
  return sorted.reduce((highest, time, last) => {
    while (time - sorted[first]! >= span) first++
    return Math.max(highest, last - first + 1)
  }, 0)
}
