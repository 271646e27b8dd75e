import { messageOf, stackOf } from '../core/errors.ts'
import { type EventName } from '../core/events.ts'
import { type Logger, type LogLevel } from '../core/logger.ts'
import { type EventSource, logEvents } from './access-log.ts'
import { createLogger } from './log.ts'

/** The log of one balancer: given from outside, or what the config of the moment asks for. */
export class BalancerLog {
  readonly #source: EventSource
  readonly #given: Logger | undefined
  #current: LogLevel | Logger | undefined
  #logger: Logger | undefined
  #stop: (() => void) | undefined

  constructor(source: EventSource, given: Logger | undefined) {
    this.#source = source
    this.#given = given
  }

  use(wanted: LogLevel | Logger | undefined): void {
    const next = this.#given ?? wanted
    if (next === this.#current) return
    this.#current = next
    this.#stop?.()
    this.#logger = typeof next === 'string' ? createLogger(next) : next
    this.#stop = this.#logger && logEvents(this.#source, this.#logger)
  }

  /** A mistake in the user's code must be seen somewhere. */
  listenerThrew(error: unknown, name: EventName): void {
    const what = `a listener for "${name}" threw: ${messageOf(error)}`
    const stack = stackOf(error)
    if (this.#logger) return this.#logger.error({ event: name, reason: messageOf(error), stack }, what)
    const warning = new Error(what)
    if (stack !== undefined) warning.stack = stack
    process.emitWarning(warning)
  }
}
