import { type Plan } from '../core/events.ts'
import { seconds } from './seconds.ts'
import { thousands } from './thousands.ts'

/** A plan in words: `1 added (green), 2 kept; 18 204 tunnels kept, 311 drained over 30 s`. */
export function describePlan(plan: Plan): string {
  const backends = [
    counted(plan.added, 'added'),
    counted(plan.removed, 'removed'),
    counted(plan.changed, 'changed'),
    plan.kept.length > 0 ? `${plan.kept.length} kept` : undefined,
  ].filter((part) => part !== undefined)
  return (backends.length > 0 ? backends.join(', ') : 'no backends') + tunnels(plan)
}

function tunnels({ tunnelsKept, tunnelsDrained, over }: Plan): string {
  if (tunnelsKept + tunnelsDrained === 0) return ''
  const pace = tunnelsDrained > 0 ? ` over ${seconds(over)}` : ''
  return `; ${thousands(tunnelsKept)} tunnels kept, ${thousands(tunnelsDrained)} drained${pace}`
}

function counted(ids: readonly string[], verb: string): string | undefined {
  return ids.length > 0 ? `${ids.length} ${verb} (${ids.join(', ')})` : undefined
}
