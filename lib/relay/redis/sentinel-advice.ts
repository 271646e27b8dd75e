import { type Logger } from '../../core/logger.ts'
import { type Reply } from '../session/evaluator.ts'
import { type Pair } from './dial.ts'
import { fieldsOf } from './sentinel-vote.ts'
import { type SentinelWatcher } from './sentinel-watcher.ts'

/** Says, once, what in the set-up of Redis can cost messages. It is no trouble: everything goes on. */
export class SentinelAdvice {
  readonly #log: Logger
  readonly #name: string
  readonly #said = new Set<string>()

  constructor(log: Logger, name: string) {
    this.#log = log
    this.#name = name
  }

  async give(watcher: SentinelWatcher, { guarded }: Pair): Promise<void> {
    const counts = watcher.otherCounts
    if (counts.length > 0)
      this.#say('the list of Sentinels is not the one that they know: the majority is not that of all', {
        known: counts,
      })
    if (!guarded)
      this.#say(
        'min-replicas-to-write is 0: a master that is cut off goes on taking writes that are lost',
        {},
      )
    const replicas = await watcher.connection
      ?.command(['SENTINEL', 'REPLICAS', this.#name])
      .catch(() => undefined)
    if (!Array.isArray(replicas)) return
    const priorities = (replicas as readonly Reply[]).map((replica) =>
      fieldsOf(replica).get('slave-priority'),
    )
    if (new Set(priorities).size > 1)
      this.#say('replica-priority differs: a replica that lags may become the master', { priorities })
  }

  #say(message: string, fields: object): void {
    if (this.#said.has(message)) return
    this.#said.add(message)
    this.#log.warn({ master: this.#name, ...fields }, message)
  }
}
