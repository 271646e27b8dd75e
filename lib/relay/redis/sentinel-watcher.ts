import { type Clock, type Random } from '../../core/clock.ts'
import { WslbError } from '../../core/errors.ts'
import { sleep } from '../../core/sleep.ts'
import { type Connection } from './connection.ts'
import { type SentinelTarget } from './resolve-target.ts'
import { SentinelQuorum, type View } from './sentinel-quorum.ts'
import { SentinelVoter } from './sentinel-voter.ts'
import { type Vote } from './sentinel-vote.ts'

/** Milliseconds without a majority after which it is told. */
const PATIENCE = 1_500

export interface SentinelWatcherOptions {
  readonly target: SentinelTarget
  /** Milliseconds; `undefined` for none. */
  readonly lease: number | undefined
  readonly clock: Clock
  readonly random: Random
}

/** A master, for as long as the Sentinels name no other one. */
export interface Term {
  readonly view: View
  /** Aborted when they do. */
  readonly signal: AbortSignal
}

/** All Sentinels, and what their majority says. */
export class SentinelWatcher {
  readonly #options: SentinelWatcherOptions
  readonly #quorum: SentinelQuorum
  readonly #voters: readonly SentinelVoter[]
  readonly #closing = new AbortController()
  readonly #sleepers = new Set<AbortController>()
  #running: Promise<unknown> | undefined
  #term: (Term & { readonly controller: AbortController }) | undefined
  /** How many Sentinels each one knows. */
  readonly #known = new Set<number>()

  constructor(options: SentinelWatcherOptions) {
    const { target, lease, clock, random } = options
    const { sentinels, name, sentinelAccess: access } = target
    this.#options = options
    this.#quorum = new SentinelQuorum(sentinels.length, lease)
    this.#voters = sentinels.map((address, index) => {
      const vote = (vote: Vote | undefined) => this.#take(index, vote)
      return new SentinelVoter({ address, access, name, clock, random, signal: this.#closing.signal, vote })
    })
  }

  start(): void {
    this.#running ??= Promise.all(this.#voters.map((voter) => voter.run()))
  }

  async close(): Promise<void> {
    this.#closing.abort(new WslbError('WSLB_RELAY_AWAY', 'the relay is closed'))
    await this.#running
  }

  leaseLeft(view: View): number {
    return this.#quorum.leaseLeft(view, this.#options.clock.now())
  }

  isFenced(view: View): boolean {
    return this.#quorum.isFenced(view, this.#options.clock.now())
  }

  /** One that answers. */
  get connection(): Connection | undefined {
    return this.#voters.find(({ connection, trouble }) => connection && trouble === undefined)?.connection
  }

  /** How many Sentinels they say there are, where that is not as many as are listed. */
  get otherCounts(): readonly number[] {
    return [...this.#known].filter((count) => count !== this.#voters.length)
  }

  /** Settles when the master of the majority may be used. @throws when there has been no majority for a while */
  async usable(signal: AbortSignal): Promise<Term> {
    const { clock } = this.#options
    const deadline = clock.now() + PATIENCE
    for (;;) {
      const now = clock.now()
      const term = this.#term
      const agreed = term && this.#quorum.agreed && this.leaseLeft(term.view) > 0
      if (agreed && now >= this.#quorum.usableFrom(term.view)) return term
      if (!agreed && now >= deadline) throw new WslbError('WSLB_RELAY_AWAY', this.#describe())
      await this.#doze((agreed ? this.#quorum.usableFrom(term.view) : deadline) - now, signal)
    }
  }

  /** Settles after so many milliseconds, and at once when the majority names another master. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const [end, term] = [clock.now() + ms, this.#term]
    while (this.#term === term && clock.now() < end) await this.#doze(end - clock.now(), signal)
  }

  #take(index: number, vote: Vote | undefined): void {
    this.#quorum.vote(index, vote)
    if (vote) this.#known.add(vote.sentinels)
    const { view } = this.#quorum
    if (view && view !== this.#term?.view) {
      this.#term?.controller.abort(new WslbError('WSLB_RELAY_AWAY', 'the Sentinels name another master'))
      const controller = new AbortController()
      this.#term = { view, signal: controller.signal, controller }
    }
    for (const sleeper of this.#sleepers) sleeper.abort()
  }

  /** Until the next vote, or as long. @throws the reason of the signal */
  async #doze(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const sleeper = new AbortController()
    const wake = () => sleeper.abort()
    signal.addEventListener('abort', wake)
    this.#sleepers.add(sleeper)
    await sleep(ms, this.#options.clock, sleeper.signal, true).catch(() => {})
    this.#sleepers.delete(sleeper)
    signal.removeEventListener('abort', wake)
    signal.throwIfAborted()
  }

  #describe(): string {
    const { name } = this.#options.target
    if (
      this.#voters.some(({ unknown }) => unknown) &&
      this.#voters.every(({ trouble }) => trouble !== undefined)
    )
      return `no Sentinel knows a master called ${JSON.stringify(name)}`
    const troubles = this.#voters.flatMap(({ trouble }) => trouble ?? [])
    const fine = this.#voters.length - troubles.length
    const summary = `no majority: ${fine} of ${this.#voters.length} Sentinels name a master`
    return troubles.length > 0 ? `${summary} (${troubles.join('; ')})` : `${summary}, and not the same one`
  }
}
