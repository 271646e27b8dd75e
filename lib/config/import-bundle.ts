import { rm, writeFile } from 'node:fs/promises'
import { SourceMap } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { stackOf } from '../core/errors.ts'
import { type Bundle, bundleConfig } from './bundle.ts'
import { type SourcePlace } from './load-error.ts'

/** Bundles a config file and writes the bundle beside it, or, where that is not allowed, to the temporary directory. */
export async function writeBundle(file: string): Promise<Bundle> {
  const bundle = await bundleConfig(file, dirname(file))
  try {
    await write(bundle)
    return bundle
  } catch (error) {
    if (!isReadOnly(error)) throw error
    const elsewhere = await bundleConfig(file, tmpdir())
    await write(elsewhere)
    return elsewhere
  }
}

/** The default export. The module stays in Node's cache for ever, its file is gone as soon as it runs, or cannot run. */
export async function importBundle({ path }: Bundle): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(path).href)) as { default?: unknown }
    return module.default
  } finally {
    await rm(path, { force: true })
  }
}

/** The first place in the config's own files that the stack of an error names. */
export function placeOf(error: unknown, { path, map, inputs }: Bundle): SourcePlace | undefined {
  const stack = stackOf(error)
  if (stack === undefined) return undefined
  for (const [, location, line, column] of stack.matchAll(/((?:file:\/\/)?\/[^\s():]+):(\d+):(\d+)/g)) {
    const file = location!.startsWith('file:') ? fileURLToPath(location!) : location!
    const place = { file, line: Number(line), column: Number(column) }
    // With source maps switched on, the stack names the original files already.
    const original = file === path ? toOriginal(place, map) : place
    if (original && inputs.has(original.file)) return original
  }
  return undefined
}

function toOriginal({ file, line, column }: SourcePlace, map: string): SourcePlace | undefined {
  const sourceMap = new SourceMap(JSON.parse(map) as ConstructorParameters<typeof SourceMap>[0])
  const entry = sourceMap.findEntry(line - 1, column - 1)
  if (!('originalSource' in entry)) return undefined
  return {
    file: resolve(dirname(file), entry.originalSource),
    line: entry.originalLine + 1,
    column: entry.originalColumn + 1,
  }
}

async function write({ path, code }: Bundle): Promise<void> {
  try {
    await writeFile(path, code, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

function isReadOnly(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS'].includes(String((error as NodeJS.ErrnoException).code))
}
