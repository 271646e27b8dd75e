import { alike } from '../core/alike.ts'
import { type Backend, type BackendSettings } from '../core/backend.ts'
import { type HealthOverride } from '../health/options.ts'

/** A backend as the config names it. */
export interface BackendSpec {
  readonly id: string
  readonly url: URL
  readonly settings: BackendSettings
  /** How it is watched, where that is not as the pool says. */
  readonly health?: HealthOverride | undefined
}

export interface MembershipDiff {
  readonly added: readonly BackendSpec[]
  readonly removed: readonly Backend[]
  readonly kept: ReadonlyMap<Backend, BackendSettings>
  /** Kept, with other settings. */
  readonly changed: readonly Backend[]
}

/**
 * Identity is id and url: the same id with a new url is another server.
 * @param before what the members were made of
 */
export function diffMembers(
  members: ReadonlyMap<string, Backend>,
  before: readonly BackendSpec[],
  specs: readonly BackendSpec[],
): MembershipDiff {
  const healthBefore = new Map(before.map(({ id, health }) => [id, health]))
  const kept = new Map<Backend, BackendSettings>()
  const changed: Backend[] = []
  const added: BackendSpec[] = []
  for (const spec of specs) {
    const member = members.get(spec.id)
    if (member?.url.href !== spec.url.href) {
      added.push(spec)
      continue
    }
    const same = alike(member.settings, spec.settings)
    // Keeping the object as well keeps what is derived from it: TLS contexts, sessions.
    kept.set(member, same ? member.settings : spec.settings)
    if (!same || !alike(healthBefore.get(spec.id), spec.health)) changed.push(member)
  }
  const removed = [...members.values()].filter((member) => !kept.has(member))
  return { added, removed, kept, changed }
}
