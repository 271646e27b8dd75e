import { absoluteCertificates } from './certificate-files.ts'
import { type Config, type PoolConfig } from './config.ts'
import { isObject } from './rule.ts'
import { isSource } from './source-rule.ts'

/**
 * A copy of the config whose paths are absolute, so that it means the same wherever it is used. The config has not been
 * validated: what is not of the right form passes as it is.
 */
export function absolutePaths(config: Config, baseDir: string): Config {
  const placed = withSources(absoluteCertificates(config, baseDir), baseDir)
  const { pools } = placed
  if (!isObject(pools)) return placed
  const placedPools = Object.entries(pools).map(([name, pool]) => [
    name,
    isObject(pool) ? withSources(pool, baseDir) : pool,
  ])
  return { ...placed, pools: Object.fromEntries(placedPools) as typeof pools }
}

function withSources<T extends Pick<PoolConfig, 'backends'>>(pool: T, baseDir: string): T {
  const { backends } = pool
  return isSource(backends) && backends.relativeTo
    ? { ...pool, backends: backends.relativeTo(baseDir) }
    : pool
}
