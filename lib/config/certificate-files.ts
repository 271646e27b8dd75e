import { resolve } from 'node:path'
import { type Config, type ListenConfig } from './config.ts'
import { isPem } from './listen-rule.ts'
import { isObject } from './rule.ts'

type Listen = number | ListenConfig

/**
 * A copy of the config whose certificate paths are absolute, so that it means the same wherever it is used.
 * The config has not been validated: what is not a listener passes as it is.
 */
export function absoluteCertificates(config: Config, baseDir: string): Config {
  const { listen } = config
  if (!isObject(listen) && !Array.isArray(listen)) return config
  const absolute = (one: Listen) => withPaths(one, (path) => resolve(baseDir, path))
  return { ...config, listen: Array.isArray(listen) ? listen.map(absolute) : absolute(listen as Listen) }
}

/** The files that hold the certificates and keys of a config; changed ones mean a reload. */
export function certificateFiles({ listen }: Config): string[] {
  const files: string[] = []
  for (const one of [listen ?? []].flat() as readonly Listen[])
    withPaths(one, (path) => (files.push(path), path))
  return files
}

function withPaths(listen: Listen, change: (path: string) => string): Listen {
  if (!isObject(listen) || !isObject(listen.tls)) return listen
  const changed = Object.entries(listen.tls).map(([key, value]) =>
    typeof value === 'string' && !isPem(value) ? [key, change(value)] : [key, value],
  )
  return { ...(listen as ListenConfig), tls: Object.fromEntries(changed) as { cert: string; key: string } }
}
