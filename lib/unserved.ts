import { type ResolvedConfig } from './config/resolved.ts'
import { type Pool } from './pool/pool.ts'
import { type PoolSpec } from './pool/pool-spec.ts'

/** A warning for each routed pool that would have no backend in service. @param pools the present ones */
export function unserved(
  { pools: specs, routes }: ResolvedConfig,
  pools: ReadonlyMap<string, Pool>,
): string[] {
  const routed = new Set(routes.map(({ pool }) => pool))
  return specs
    .filter((spec) => routed.has(spec.name) && !takesClients(spec, pools.get(spec.name)))
    .map(({ name, source, backends: { length } }) => {
      const why =
        length === 0
          ? source
            ? `no backends yet from ${source.source.name}`
            : 'no backends'
          : length === 1
            ? 'its backend is drained'
            : `all ${length} backends are drained`
      return `pool ${name}: ${why}; it will answer 503`
    })
}

function takesClients(spec: PoolSpec, pool: Pool | undefined): boolean {
  // What a source will give, nobody knows before it is asked.
  if (!pool) return spec.backends.length > 0 || spec.source !== undefined
  const { added, kept } = pool.diff(spec)
  return added.length > 0 || [...kept.keys()].some(({ adminState }) => adminState === 'active')
}
