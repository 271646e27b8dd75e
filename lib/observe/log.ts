import { type WriteStream } from 'node:tty'
import { pino, stdTimeFunctions, type Logger as PinoLogger } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { type LogLevel } from '../core/logger.ts'

export interface LogOptions {
  /** JSON lines even on a terminal. @default false */
  json?: boolean
  /** @default process.stderr */
  stream?: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'hasColors'>>
}

/** The built-in log: for people on a terminal, JSON lines anywhere else. */
export function createLogger(
  level: LogLevel,
  { json = false, stream = process.stderr }: LogOptions = {},
): PinoLogger {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return pino(options, !json && stream.isTTY ? prettyTo(stream) : stream)
}

/** pino-pretty as a function: as a transport it would run in a thread and lose the last lines of a dying process. */
function prettyTo(stream: NonNullable<LogOptions['stream']>): { write(line: string): void } {
  const pretty = prettyFactory({
    // hasColors() honours NO_COLOR, FORCE_COLOR and TERM=dumb.
    colorize: stream.hasColors?.() ?? false,
    translateTime: 'SYS:HH:MM:ss.l',
    // The message says the rest.
    include: 'level,time,context,stack',
  })
  return { write: (line) => void stream.write(pretty(line)) }
}
