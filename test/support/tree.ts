import { extname, dirname } from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const extension = extname(import.meta.url)

/** The repository. Its tests run compiled too, from a folder that has nothing but code. */
export const ROOT = pathToFileURL(`${dirname(createRequire(import.meta.url).resolve('wslb/package.json'))}/`)

/** A TypeScript file of the repository as this process runs such files: as it is, through tsx, or compiled. */
export function runnable(path: string): URL {
  return new URL(`../../${path.replace(/\.ts$/, extension)}`, import.meta.url)
}

/** What Node has to be told to run them. */
export const NODE_ARGS = extension === '.ts' ? ['--import=tsx'] : []
