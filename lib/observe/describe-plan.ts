import { type Plan } from '../core/events.ts'

/** A plan in words: `1 added (green), 2 kept; 18 204 tunnels kept, 311 drained`. */
export function describePlan(plan: Plan): string {
  const backends = [
    counted(plan.added, 'added'),
    counted(plan.removed, 'removed'),
    counted(plan.changed, 'changed'),
    plan.kept.length > 0 ? `${plan.kept.length} kept` : undefined,
  ].filter((part) => part !== undefined)
  const tunnels =
    plan.tunnelsKept + plan.tunnelsDrained > 0
      ? `; ${thousands(plan.tunnelsKept)} tunnels kept, ${thousands(plan.tunnelsDrained)} drained`
      : ''
  return (backends.length > 0 ? backends.join(', ') : 'no backends') + tunnels
}

function counted(ids: readonly string[], verb: string): string | undefined {
  return ids.length > 0 ? `${ids.length} ${verb} (${ids.join(', ')})` : undefined
}

function thousands(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ')
}
