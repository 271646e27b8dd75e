import { ConfigError } from '../core/errors.ts'
import { readRegularFile } from '../files/regular-file.ts'

/** A place in a source file; line and column start at 1. */
export interface SourcePlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface LoadFailure {
  readonly message: string
  readonly place?: SourcePlace | undefined
  readonly cause?: unknown
}

/** A config file that could not be read, built or run. Its message starts with `file:line:column`. */
export class ConfigLoadError extends ConfigError {
  /** What had been read by then (see `LoadedConfig`): mending one of these may mend the config. */
  readonly inputs: ReadonlyMap<string, string>

  constructor(failures: readonly LoadFailure[], inputs: ReadonlyMap<string, string>) {
    const problems = failures.map(({ message, place }) => ({
      path: '',
      message: place ? `${formatPlace(place)}: ${message}${frame(place)}` : message,
    }))
    const [first] = failures
    super(problems, 'WSLB_CONFIG_LOAD', first && 'cause' in first ? { cause: first.cause } : {})
    this.inputs = inputs
  }
}

function formatPlace({ file, line, column }: SourcePlace): string {
  return `${file}:${line}:${column}`
}

/** The line itself, and a mark under the column. */
function frame({ file, line, column }: SourcePlace): string {
  let text: string | undefined
  try {
    text = readRegularFile(file).toString().split('\n')[line - 1]?.trimEnd()
  } catch {
    // The file may be gone by now; the place alone will do.
  }
  if (!text || text.length > 200) return ''
  const margin = `  ${line} | `
  const indent = text.slice(0, column - 1).replace(/[^\t]/g, ' ')
  return `\n${margin}${text}\n${' '.repeat(margin.length - 2)}| ${indent}^`
}
