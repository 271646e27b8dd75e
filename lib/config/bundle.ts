import { randomBytes } from 'node:crypto'
import { dirname, join, resolve } from 'node:path'
import { build, type BuildFailure, type Message } from 'esbuild'
import { absolutePackages, ORIGINAL_PATHS, ownPackage, readInputs } from './bundle-plugins.ts'
import { digestOf, TEMPORARY_PREFIX } from '../files/digest.ts'
import { ConfigLoadError, type LoadFailure } from './load-error.ts'

export interface Bundle {
  /** Where the code is meant to lie while it is imported. */
  readonly path: string
  readonly code: string
  /** Source map, JSON. */
  readonly map: string
  /** Absolute paths of the local files in it → digest of what was read. */
  readonly inputs: ReadonlyMap<string, string>
}

/**
 * One ES module from a config file and the local files it imports; packages stay imports.
 * @param dir where it will lie: the config's directory, or one where packages cannot be found by name
 * @throws ConfigLoadError with a place for every syntax error and missing file
 */
export async function bundleConfig(file: string, dir: string): Promise<Bundle> {
  const path = join(dir, `${TEMPORARY_PREFIX}${randomBytes(6).toString('hex')}.mjs`)
  const besideConfig = dir === dirname(file)
  const inputs = new Map<string, string>()
  try {
    const { outputFiles } = await build({
      entryPoints: [file],
      outfile: path,
      write: false,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'both',
      logLevel: 'silent',
      absWorkingDir: dirname(file),
      banner: { js: banner(file, path) },
      ...(besideConfig ? { packages: 'external' as const } : {}),
      define: ORIGINAL_PATHS,
      plugins: [ownPackage(), ...(besideConfig ? [] : [absolutePackages()]), readInputs(inputs)],
    })
    const textOf = (name: string) => outputFiles.find((output) => output.path.endsWith(name))?.text ?? ''
    return { path, code: textOf('.mjs'), map: textOf('.map'), inputs }
  } catch (error) {
    const { errors } = error as BuildFailure
    if (!Array.isArray(errors)) throw error
    for (const message of errors) recordMissing(message, dirname(file), inputs)
    throw new ConfigLoadError(
      errors.map((message) => toFailure(message, dirname(file))),
      inputs,
    )
  }
}

/**
 * One line, so that stack traces stay right. CommonJS helpers call `require`, which an ES module has not. The file removes
 * itself: code behind it may hang, or end the process, and nobody else would be left to do it.
 */
function banner(file: string, path: string): string {
  return [
    `import { createRequire as __wslbRequire } from 'node:module'`,
    `import { rmSync as __wslbRemove } from 'node:fs'`,
    `const require = __wslbRequire(${JSON.stringify(file)})`,
    `__wslbRemove(${JSON.stringify(path)}, { force: true })`,
    '',
  ].join('; ')
}

function toFailure({ text, location }: Message, cwd: string): LoadFailure {
  return {
    message: text,
    place: location
      ? { file: resolve(cwd, location.file), line: location.line, column: location.column + 1 }
      : undefined,
  }
}

/** The directory of an import that is not there becomes an input: its listing changes when the file appears. */
function recordMissing({ text, location }: Message, cwd: string, inputs: Map<string, string>): void {
  const [, missing] = /^Could not resolve "(\.[^"]*)"/.exec(text) ?? []
  if (missing === undefined || !location) return
  const dir = dirname(resolve(cwd, dirname(location.file), missing))
  inputs.set(dir, digestOf(dir))
}
