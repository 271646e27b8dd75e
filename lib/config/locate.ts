import { ConfigError, type ConfigProblem, messageOf } from '../core/errors.ts'
import { readRegularFile } from '../files/regular-file.ts'

/** The message of an error, with file:line before each problem of a config where that can be found. */
export function explain(error: unknown, files: readonly string[]): string {
  if (!(error instanceof ConfigError) || error.code !== 'WSLB_CONFIG_INVALID') return messageOf(error)
  const lines = linesOf(files)
  return error.problems
    .map(({ path, message }) => [placeOf(path, lines) ?? files[0], path, message].filter(Boolean).join(': '))
    .join('\n')
}

interface Line {
  readonly place: string
  readonly text: string
}

/**
 * Where a problem was written: the deepest key of its path that is written exactly once. Configs are code, so this
 * is a guess from the text; a key that is written twice is passed over for the one above it.
 */
function placeOf(path: ConfigProblem['path'], lines: readonly Line[]): string | undefined {
  const keys = path.match(/[A-Za-z_$][\w$-]*/g) ?? []
  for (const key of keys.reverse()) {
    const written = new RegExp(`(?:^|[\\s{,])(['"]?)${key.replaceAll('$', '\\$')}\\1\\s*[:,(}]`)
    const found = lines.filter(({ text }) => written.test(text))
    if (found.length === 1) return found[0]!.place
  }
  return undefined
}

function linesOf(files: readonly string[]): Line[] {
  // By content, because a symbolic link and its target are both inputs.
  const texts = new Map(files.toReversed().map((file) => [textOf(file), file]))
  return [...texts].flatMap(([text, file]) =>
    text.split('\n').map((line, index) => ({
      place: `${file}:${index + 1}`,
      text: line.replace(/^\s*(\/\/|\*|\/\*).*/, ''),
    })),
  )
}

function textOf(file: string): string {
  try {
    return readRegularFile(file).toString()
  } catch {
    return ''
  }
}
