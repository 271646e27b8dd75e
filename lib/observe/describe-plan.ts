import { type Plan } from '../core/events.ts'
import { seconds } from './seconds.ts'
import { thousands } from './thousands.ts'

/** A plan in words: `1 added (green), 2 kept; changed: drain; 18 204 tunnels kept, 311 drained over 30 s`. */
export function describePlan(plan: Plan): string {
  const backends = [
    counted(plan.added, 'added'),
    counted(plan.removed, 'removed'),
    counted(plan.changed, 'changed'),
    plan.kept.length > 0 ? `${plan.kept.length} kept` : undefined,
  ].filter((part) => part !== undefined)
  const parts = [
    backends.join(', ') || (plan.sources.length > 0 ? undefined : 'no backends'),
    plan.sources.length > 0 ? `backends of ${plan.sources.join(', of ')}` : undefined,
    listeners(plan),
    plan.options.length > 0 ? `changed: ${plan.options.join(', ')}` : undefined,
    tunnels(plan),
  ]
  return parts.filter((part) => part !== undefined).join('; ')
}

/** Whether anything is to change. What functions do is not known. */
export function isChange({ added, removed, changed, sources, listeners, options }: Plan): boolean {
  const all = [added, removed, changed, sources, listeners.added, listeners.removed, options]
  return all.some(({ length }) => length > 0)
}

function listeners({ listeners: { added, removed } }: Plan): string | undefined {
  if (added.length > 0)
    return `listens on ${added.join(', ')}` + (removed.length > 0 ? ` instead of ${removed.join(', ')}` : '')
  return removed.length > 0 ? `no longer listens on ${removed.join(', ')}` : undefined
}

function tunnels({ tunnelsKept, tunnelsDrained, over }: Plan): string | undefined {
  if (tunnelsKept + tunnelsDrained === 0) return undefined
  const pace = tunnelsDrained > 0 ? ` over ${seconds(over)}` : ''
  return `${thousands(tunnelsKept)} tunnels kept, ${thousands(tunnelsDrained)} drained${pace}`
}

function counted(ids: readonly string[], verb: string): string | undefined {
  return ids.length > 0 ? `${ids.length} ${verb} (${ids.join(', ')})` : undefined
}
