import { type Config, type ConfigContext } from './config.ts'
import { findConfigFile } from './find.ts'
import { loadConfigFile } from './load.ts'

export type LoadConfigOptions = Partial<ConfigContext>

/**
 * Loads a config file, ready for `createBalancer` and `reload`. Relative paths of certificates and sources become absolute.
 * @param file @default the `lb.config.{ts,mts,js,mjs,json}` of the working directory
 * @throws ConfigError `WSLB_CONFIG_NOT_FOUND` or `WSLB_CONFIG_LOAD`
 */
export async function loadConfig(file?: string, options: LoadConfigOptions = {}): Promise<Config> {
  const { signal = new AbortController().signal, previous } = options
  const { config } = await loadConfigFile(file ?? findConfigFile(process.cwd()), { signal, previous })
  return config
}
