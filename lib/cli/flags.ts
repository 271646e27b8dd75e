import { type Options } from 'yargs'
import { type LogLevel } from '../core/logger.ts'
import { UsageError } from './usage-error.ts'

export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** What every command understands; a command ignores what does not concern it. */
export interface Flags {
  readonly config: string | undefined
  readonly port: number | undefined
  readonly host: string | undefined
  readonly 'log-level': LogLevel | undefined
  readonly json: boolean
  readonly watch: boolean
}

/** Flags win over environment variables, those over the config file. */
export const FLAGS: Record<keyof Flags, Options> = {
  config: { alias: 'c', type: 'string', describe: 'Config file [lb.config.{ts,mts,js,mjs,json}]' },
  port: { type: 'string', describe: 'Port of the first listener', coerce: toPort },
  host: { type: 'string', describe: 'Address of the first listener' },
  'log-level': { type: 'string', describe: LOG_LEVELS.join(' · '), coerce: toLogLevel },
  json: { type: 'boolean', default: false, describe: 'Write for machines: JSON lines' },
  watch: { type: 'boolean', default: true, describe: 'Reload on edits; --no-watch does not' },
}

const VARIABLES: Record<string, keyof Flags> = {
  WSLB_CONFIG: 'config',
  WSLB_PORT: 'port',
  WSLB_HOST: 'host',
  WSLB_LOG_LEVEL: 'log-level',
  WSLB_JSON: 'json',
  WSLB_WATCH: 'watch',
}

/**
 * The flags that the environment sets. Not yargs' own `.env()`: that takes any `WSLB_…` for a flag, so a variable
 * of yours would be a usage error, and reads `WSLB_JSON=1` as false.
 */
export function flagsFromEnvironment(env: NodeJS.ProcessEnv): Partial<Record<keyof Flags, string | boolean>> {
  const flags: Partial<Record<keyof Flags, string | boolean>> = {}
  for (const [variable, flag] of Object.entries(VARIABLES)) {
    const text = env[variable]
    if (text === undefined || text === '') continue
    flags[flag] = FLAGS[flag].type === 'boolean' ? toBoolean(variable, text) : text
  }
  return flags
}

function toBoolean(variable: string, text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off)$/i.test(text)) return false
  throw new UsageError(`${variable}=${text}: expected 1, true, 0 or false`)
}

function toPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (port <= 65_535) return port
  throw new UsageError(`port: expected 0 to 65535, got ${JSON.stringify(text)}`)
}

function toLogLevel(text: string | undefined): LogLevel | undefined {
  const level = LOG_LEVELS.find((known) => known === text)
  if (text === undefined || level !== undefined) return level
  throw new UsageError(`log-level: expected one of ${LOG_LEVELS.join(', ')}, got ${JSON.stringify(text)}`)
}
