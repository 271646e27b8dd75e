import { dirname, extname, resolve } from 'node:path'
import { transform, type TransformFailure } from 'esbuild'
import { messageOf } from '../core/errors.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { absolutePaths } from './absolute-paths.ts'
import { type Config, type ConfigContext } from './config.ts'
import { digest, digestOf } from '../files/digest.ts'
import { notFound } from './find.ts'
import { importBundle, placeOf, writeBundle } from './import-bundle.ts'
import { ConfigLoadError } from './load-error.ts'
import { readRegularFile } from '../files/regular-file.ts'
import { isObject, show } from './rule.ts'

export interface LoadedConfig {
  /** Not validated yet. Paths of certificates and of file sources are absolute. */
  readonly config: Config
  /** Absolute path. */
  readonly file: string
  /** Absolute paths of the config and of every local file it imports → digest of what was read. */
  readonly inputs: ReadonlyMap<string, string>
}

/**
 * Reads a config file; what it imports from local files is read afresh every time.
 * @throws ConfigError `WSLB_CONFIG_NOT_FOUND`
 * @throws ConfigLoadError what is wrong, with file:line:column, and which files had been read by then
 */
export async function loadConfigFile(path: string, context: ConfigContext): Promise<LoadedConfig> {
  const file = resolve(path)
  const content = read(file)
  const { exported, inputs } = await (extname(file) === '.json'
    ? parseJson(file, content.toString())
    : runModule(file, content, context))
  if (!isObject(exported)) {
    const message = `${file}: the default export is ${exported === undefined ? 'missing' : show(exported)}; write export default defineConfig({ … })`
    throw new ConfigLoadError([{ message }], inputs)
  }
  return { config: absolutePaths(exported, dirname(file)), file, inputs }
}

function read(file: string): Buffer {
  try {
    return readRegularFile(file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw notFound(`there is no ${file}; "npx wslb init" writes a config`)
    throw new ConfigLoadError(
      [{ message: `cannot read the config: ${messageOf(error)}`, cause: error }],
      new Map([[file, digestOf(file)]]),
    )
  }
}

interface Exported {
  readonly exported: unknown
  readonly inputs: ReadonlyMap<string, string>
}

async function runModule(file: string, content: Buffer, context: ConfigContext): Promise<Exported> {
  // The path as it was given may be a symbolic link; esbuild names its target only.
  const entry = [file, digest(content)] as const
  if (!/^\.m?[tj]s$/.test(extname(file))) {
    const message = `${file}: a config file ends in .ts, .mts, .js, .mjs or .json; CommonJS is fine inside .js`
    throw new ConfigLoadError([{ message }], new Map([entry]))
  }
  const bundle = await writeBundle(file).catch((error: unknown) => {
    if (error instanceof ConfigLoadError) throw error
    throw new ConfigLoadError([{ message: `${file}: ${messageOf(error)}`, cause: error }], new Map([entry]))
  })
  const inputs = new Map([entry, ...bundle.inputs])
  try {
    const run = async () => {
      const exported = await importBundle(bundle)
      return typeof exported === 'function'
        ? (exported as (context: ConfigContext) => unknown)(context)
        : exported
    }
    // A config may wait for something that never comes; its generation can be over before that.
    return { exported: await untilAborted(run(), context.signal), inputs }
  } catch (error) {
    // Node names the file it ran; nobody else knows it.
    const text = messageOf(error).replaceAll(bundle.path, file)
    const message = error === context.signal.reason ? 'loading was given up' : text
    const place = placeOf(error, { ...bundle, inputs })
    throw new ConfigLoadError(
      [{ message: place ? message : `${file}: ${message}`, place, cause: error }],
      inputs,
    )
  }
}

async function parseJson(file: string, content: string): Promise<Exported> {
  const inputs = new Map([[file, digest(content)]])
  try {
    return { exported: JSON.parse(content) as unknown, inputs }
  } catch (error) {
    throw new ConfigLoadError([await explainJson(file, content, error)], inputs)
  }
}

/** `JSON.parse` does not always say where; esbuild does. */
async function explainJson(file: string, content: string, error: unknown) {
  try {
    await transform(content, { loader: 'json', logLevel: 'silent' })
  } catch (failure) {
    const [first] = (failure as TransformFailure).errors
    const { text = messageOf(error), location } = first ?? {}
    const place = location ? { file, line: location.line, column: location.column + 1 } : undefined
    return { message: text, place, cause: error }
  }
  return { message: `${file}: ${messageOf(error)}`, cause: error }
}
