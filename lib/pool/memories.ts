import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { quietly } from '../core/quietly.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type AnswerObserver } from '../sticky/answer-observer.ts'
import { DEFAULT_LIMITS, Memory } from '../sticky/memory.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'

/** What the strategies of a pool remember, by their names: a reload makes new strategies, not new memories. */
export class Memories {
  readonly #clock: Clock
  readonly #byName = new Map<string, Memory>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  of({ name, memory: limits = DEFAULT_LIMITS }: StickyStrategy): Memory {
    let memory = this.#byName.get(name)
    if (!memory) this.#byName.set(name, (memory = new Memory(this.#clock, limits)))
    return memory
  }

  /**
   * After the members or strategies of the pool have changed: what concerns none of them any more is forgotten.
   * @param removed backends that have left
   */
  retain(strategies: readonly StickyStrategy[], removed: readonly Backend[]): void {
    const byName = new Map(strategies.map((strategy) => [strategy.name, strategy]))
    for (const [name, memory] of this.#byName) {
      const strategy = byName.get(name)
      if (!strategy) {
        this.#byName.delete(name)
        continue
      }
      memory.limits = strategy.memory ?? DEFAULT_LIMITS
      memory.forget(removed)
    }
  }

  /** @returns those who ask to see the answer; `undefined` instead of none */
  observers(
    strategies: readonly StickyStrategy[],
    request: IncomingRequest,
    backend: Backend,
  ): readonly AnswerObserver[] | undefined {
    let observers: AnswerObserver[] | undefined
    for (const strategy of strategies) {
      if (!strategy.observe) continue
      const observer = quietly(() => strategy.observe!(request, backend, this.of(strategy)))
      if (isObserver(observer)) (observers ??= []).push(observer)
    }
    return observers
  }
}

function isObserver(given: unknown): given is AnswerObserver {
  return typeof given === 'object' && given !== null && 'onHead' in given && 'onBody' in given
}
