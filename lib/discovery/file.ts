import { extname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError, messageOf } from '../core/errors.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { digest, digestOf } from '../files/digest.ts'
import { readRegularFile } from '../files/regular-file.ts'
import { InputWatcher } from '../files/watch.ts'
import { type Discovered } from './discovered.ts'
import { type SourceContext, type SourceOf } from './source.ts'

type Parse = (text: string) => unknown

const PARSERS: Readonly<Record<string, () => Promise<Parse>>> = {
  '.json': async () => JSON.parse as Parse,
  '.yaml': loadYaml,
  '.yml': loadYaml,
}

/**
 * Backends from a file that is watched: JSON or YAML, a list as `backends` in a config has it. To change it at once and
 * whole, write another file and rename it.
 * @param path from the directory of the config file on, or a `file:` url
 * @throws ConfigError for another kind of file
 */
export function file(path: string | URL): SourceOf<string | Discovered> {
  const text = path instanceof URL ? fileURLToPath(path) : path
  const parser = typeof text === 'string' ? PARSERS[extname(text).toLowerCase()] : undefined
  if (!parser) {
    const message = `got ${messageOf(text)}; expected a file whose name ends in .json, .yaml or .yml`
    throw new ConfigError([{ path: 'file', message }])
  }
  return at(text, text, parser)
}

/** @param shown the path as it was given */
function at(path: string, shown: string, parser: () => Promise<Parse>): SourceOf<string | Discovered> {
  return {
    name: `file(${shown})`,
    watch: (context) => lists(resolve(path), parser, context),
    relativeTo: (directory) => at(resolve(directory, path), shown, parser),
  }
}

async function* lists(
  path: string,
  parser: () => Promise<Parse>,
  { clock, signal, report }: SourceContext,
): AsyncGenerator<readonly (string | Discovered)[]> {
  let onChange = () => {}
  const watcher = new InputWatcher({ clock, onChange: () => onChange(), onError: report })
  try {
    const parse = await parser()
    watcher.start()
    for (;;) {
      const changed = new Promise<void>((resolve) => (onChange = resolve))
      const content = read(path)
      watcher.follow(new Map([[path, 'bytes' in content ? digest(content.bytes) : digestOf(path)]]))
      const list = 'bytes' in content ? parsed(parse, content.bytes) : content
      if ('error' in list) report(list.error)
      else yield list.value as Discovered[]
      await untilAborted(changed, signal)
    }
  } finally {
    watcher.close()
  }
}

function read(path: string): { readonly bytes: Buffer } | { readonly error: unknown } {
  try {
    return { bytes: readRegularFile(path) }
  } catch (error) {
    return { error }
  }
}

function parsed(parse: Parse, bytes: Buffer): { readonly value: unknown } | { readonly error: unknown } {
  try {
    return { value: parse(bytes.toString()) }
  } catch (error) {
    return { error }
  }
}

/** Only where there is YAML to read. */
async function loadYaml(): Promise<Parse> {
  const { parse } = await import('yaml')
  return (text) => parse(text) as unknown
}
