import { dirname } from 'node:path'
import { loadConfigFile } from '../config/load.ts'
import { resolveConfig } from '../config/resolve.ts'
import { type ResolvedConfig } from '../config/resolved.ts'
import { type Flags } from './flags.ts'
import { withFlags } from './overrides.ts'

/** Loads and validates a config that is not to go into service. @throws ConfigError */
export async function loadOnce(path: string, flags: Flags): Promise<ResolvedConfig> {
  const generation = new AbortController()
  try {
    const { config } = await loadConfigFile(path, { signal: generation.signal, previous: undefined })
    return resolveConfig(withFlags(config, flags), { baseDir: dirname(path) })
  } finally {
    // The config may have started something for itself.
    generation.abort()
  }
}
