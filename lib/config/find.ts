import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigError } from '../core/errors.ts'

/** In the order in which they are looked for. */
const CONFIG_FILES = ['ts', 'mts', 'js', 'mjs', 'json'].map((extension) => `lb.config.${extension}`)

/** Absolute path of the config file in a directory. @throws ConfigError `WSLB_CONFIG_NOT_FOUND` */
export function findConfigFile(dir: string): string {
  const found = CONFIG_FILES.map((name) => join(resolve(dir), name)).find((file) => existsSync(file))
  if (found === undefined) {
    throw notFound(`no lb.config.{ts,mts,js,mjs,json} in ${resolve(dir)}; "npx wslb init" writes one`)
  }
  return found
}

export function notFound(message: string): ConfigError {
  return new ConfigError([{ path: '', message }], 'WSLB_CONFIG_NOT_FOUND')
}
