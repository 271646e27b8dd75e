import { type Clock, type Random, type Timer } from '../core/clock.ts'
import { messageOf, toWslbError, WslbError } from '../core/errors.ts'
import { Roster } from './roster.ts'
import { type SourceOf } from './source.ts'
import { SourceLoop } from './source-loop.ts'

/** Times in milliseconds. */
export interface FeedOptions {
  /** Who is missing in the lists goes when it was missing for so long. */
  readonly removeAfter: number
  /** Whether an empty list counts; otherwise it is a failure. */
  readonly allowEmpty: boolean
  /** How long `ready()` waits for the first list. */
  readonly startTimeout: number
}

export interface FeedDependencies<Member> {
  readonly clock: Clock
  readonly random: Random
  /** What a list says. @throws what is wrong with it */
  readonly parse: (list: unknown) => readonly Member[]
  /** @param isNews whether the list ends a trouble, or is the first; also when nobody came or went */
  readonly onMembers: (members: readonly Member[], isNews: boolean) => void
  /** @param kept how many members stay */
  readonly onFailure: (error: WslbError, kept: number) => void
}

/** Kinds of failure that are told until there is a list again; a source that finds ever new words is not listened to. */
const MOST_TOLD = 16
/** Characters of a failure that are kept: it stands in the log and in snapshots, and is the source's own word. */
const LONGEST_PROBLEM = 4_000

/** The members that a source gives. Whatever fails, the last good list stays. */
export class Feed<Member extends { readonly id: string }> {
  readonly name: string
  readonly #deps: FeedDependencies<Member>
  readonly #loop: SourceLoop
  readonly #roster: Roster<Member>
  readonly #waiting = new Set<() => void>()
  readonly #told = new Set<string>()
  #options: FeedOptions
  #isNews = true
  #problem: string | null = null
  #updatedAt: number | null = null
  #stopped = false

  /** @param present those that belong before there is a list */
  constructor(
    source: SourceOf<unknown>,
    present: readonly Member[],
    options: FeedOptions,
    deps: FeedDependencies<Member>,
  ) {
    const { clock, random } = deps
    this.name = source.name
    this.#deps = deps
    this.#options = options
    this.#roster = new Roster(present, options.removeAfter, clock, (members) => {
      const isNews = this.#isNews
      this.#isNews = false
      deps.onMembers(members, isNews)
    })
    this.#loop = new SourceLoop(source, {
      clock,
      random,
      onList: (list) => this.#take(list),
      onFailure: (error) => this.#failed(error),
    })
  }

  set options(options: FeedOptions) {
    this.#options = options
    this.#roster.removeAfter = options.removeAfter
  }

  /** When the last good list came, in milliseconds since 1970; `null` before the first one. */
  get updatedAt(): number | null {
    return this.#updatedAt
  }

  /** What has failed since then. */
  get problem(): string | null {
    return this.#problem
  }

  start(): void {
    this.#loop.start()
  }

  /** For good: another feed takes over, or none. */
  stop(): void {
    this.#stopped = true
    this.#loop.stop()
    this.#roster.stop()
    this.#wake()
  }

  /** Settles with the first good list; without one when `startTimeout` is over, which is told, or it was stopped. */
  async ready(): Promise<void> {
    if (this.#updatedAt !== null || this.#stopped) return
    const { clock } = this.#deps
    const { startTimeout } = this.#options
    let timer: Timer | undefined
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve)
      const giveUp = () => {
        // What went wrong says more than how long it took.
        if (this.#problem === null) this.#failed(new Error(`it gave no list within ${startTimeout} ms`))
        this.#waiting.delete(resolve)
        resolve()
      }
      // Before the listeners are open nothing else need keep the process alive.
      timer = clock.schedule(startTimeout, giveUp, true)
    })
    timer?.cancel()
  }

  #take(list: unknown): void {
    let members: readonly Member[]
    try {
      members = this.#deps.parse(list)
      if (members.length === 0 && !this.#options.allowEmpty) {
        throw new Error('the list is empty; discovery.allowEmpty would let it count')
      }
    } catch (error) {
      return this.#failed(error)
    }
    this.#isNews ||= this.#problem !== null
    this.#problem = null
    this.#told.clear()
    this.#updatedAt = this.#deps.clock.wallTime()
    this.#roster.take(members)
    this.#wake()
  }

  #failed(thrown: unknown): void {
    const error = inShort(toWslbError(thrown, 'WSLB_DISCOVERY'))
    this.#problem = messageOf(error)
    if (this.#told.has(this.#problem) || this.#told.size >= MOST_TOLD) return
    this.#told.add(this.#problem)
    this.#deps.onFailure(error, this.#roster.size)
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}

function inShort(error: WslbError): WslbError {
  const message = messageOf(error)
  if (message.length <= LONGEST_PROBLEM) return error
  return new WslbError(error.code, `${message.slice(0, LONGEST_PROBLEM)}…`, { cause: error })
}
