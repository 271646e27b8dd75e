import { type Clock, type Random } from '../../core/clock.ts'
import { inTime } from '../../core/in-time.ts'
import { sleep } from '../../core/sleep.ts'
import { type Address, type Connection, ReplyError } from './connection.ts'
import { type Access, enter, placeOf } from './redis-access.ts'
import { serverWords, troubleWith } from './redis-trouble.ts'
import { type Vote, voteOf } from './sentinel-vote.ts'

/** Milliseconds between two questions, and for an answer. */
const PERIOD = 200
const ANSWER = 600
/** Milliseconds for TCP, TLS and the greeting. */
const GREETING = 2_000
/** Milliseconds before it is connected to again, at most. */
const PAUSE = 500

export interface SentinelVoterOptions {
  readonly address: Address
  readonly access: Access
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** Told at every answer; `undefined` when there is none. */
  readonly vote: (vote: Vote | undefined) => void
}

/** One Sentinel: asked again and again, and at once when it says that the master has changed. */
export class SentinelVoter {
  readonly place: string
  readonly #options: SentinelVoterOptions
  #connection: Connection | undefined
  #trouble: string | undefined
  #unknown = false

  constructor(options: SentinelVoterOptions) {
    this.place = placeOf(options.address)
    this.#options = options
  }

  get connection(): Connection | undefined {
    return this.#connection
  }

  /** Why it has no vote. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Whether it knows no master of that name. */
  get unknown(): boolean {
    return this.#unknown
  }

  /** Until the signal; never rejects. */
  async run(): Promise<void> {
    const { clock, random, signal, vote } = this.#options
    while (!signal.aborted) {
      await this.#watch().catch((error: unknown) => {
        this.#trouble = troubleWith(this.place, error).message
      })
      this.#connection?.destroy()
      this.#connection = undefined
      if (!signal.aborted) vote(undefined)
      await sleep(PAUSE * (0.5 + random() / 2), clock, signal).catch(() => {})
    }
  }

  /** @throws when the connection has ended */
  async #watch(): Promise<void> {
    const { address, access, clock, signal } = this.#options
    const connection = await inTime(GREETING, { clock, signal }, (attempt) => enter(access, address, attempt))
    this.#connection = connection
    let told = new AbortController()
    const changed = () => told.abort()
    await inTime(ANSWER, { clock, signal }, () => connection.subscribe('+switch-master', changed))
    const end = () => told.abort()
    connection.signal.addEventListener('abort', end)
    signal.addEventListener('abort', end)
    try {
      for (;;) {
        told = new AbortController()
        if (connection.signal.aborted) throw connection.signal.reason
        await this.#ask(connection)
        await sleep(PERIOD, clock, told.signal).catch(() => {})
        signal.throwIfAborted()
      }
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  async #ask(connection: Connection): Promise<void> {
    const { name, clock, signal, vote } = this.#options
    const asked = clock.now()
    try {
      const question = () => connection.command(['SENTINEL', 'MASTER', name])
      const reply = await inTime(ANSWER, { clock, signal }, question)
      const said = voteOf(reply, asked, clock.now())
      this.#trouble = said ? undefined : `${this.place}: what it says of the master makes no sense`
      this.#unknown = false
      vote(said)
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      // It may be told of the master yet: the connection is fine.
      this.#unknown = /no such master/i.test(error.message)
      this.#trouble = `${this.place}: ${serverWords(error)}`
      vote(undefined)
    }
  }
}
