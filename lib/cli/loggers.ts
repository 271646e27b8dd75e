import { type Config } from '../config/config.ts'
import { type Logger, type LogLevel } from '../core/logger.ts'
import { createLogger } from '../observe/log.ts'
import { type Flags, LOG_LEVELS } from './flags.ts'

/** The log of `wslb start`: a logger that the config brings, else ours at the level of the flag or the config. */
export class Loggers {
  readonly #flags: Pick<Flags, 'log-level' | 'json'>
  readonly #byLevel = new Map<LogLevel, Logger>()

  constructor(flags: Pick<Flags, 'log-level' | 'json'>) {
    this.#flags = flags
  }

  /** The same object for the same level, so that a reload sees no change. */
  at(level: LogLevel = 'info'): Logger {
    const chosen = this.#flags['log-level'] ?? level
    const logger = this.#byLevel.get(chosen) ?? createLogger(chosen, { json: this.#flags.json })
    this.#byLevel.set(chosen, logger)
    return logger
  }

  /** The config with its `log` made a logger; nonsense stays for the validation to find. */
  withLogger(config: Config): Config {
    const { log = 'info' } = config
    return LOG_LEVELS.some((level) => level === log) ? { ...config, log: this.at(log as LogLevel) } : config
  }
}
