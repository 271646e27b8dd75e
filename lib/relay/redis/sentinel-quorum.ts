import { type Address } from './connection.ts'
import { placeOf } from './redis-access.ts'
import { type Vote } from './sentinel-vote.ts'

/**
 * Milliseconds for which a majority must name a master of an earlier term before it is believed: Sentinels that were set up
 * anew count their terms from 0 again.
 */
const ESCAPE = 30_000

/** What the majority of all Sentinels says. */
export interface View {
  readonly address: Address
  readonly term: number
  /** A majority has named it since then at least. */
  readonly since: number
}

/**
 * A master is used only while a majority of all Sentinels has named it less than `lease` milliseconds ago. Two majorities
 * have a Sentinel in common, and a Sentinel never goes back to an earlier term: once a majority names the new master, no
 * question that is asked later gets a majority for the old one, and `lease` milliseconds after that nobody uses it.
 * Only differences of one clock are compared. All times are in milliseconds.
 */
export class SentinelQuorum {
  readonly #votes: (Vote | undefined)[]
  readonly #quorum: number
  readonly #lease: number | undefined
  #view: View | undefined
  #leaseEnd = -Infinity
  /** A majority that names an earlier term. */
  #doubt: { readonly key: string; readonly since: number } | undefined

  /** @param count of all Sentinels @param lease `undefined` for none */
  constructor(count: number, lease: number | undefined) {
    this.#votes = new Array<Vote | undefined>(count).fill(undefined)
    this.#quorum = Math.floor(count / 2) + 1
    this.#lease = lease
  }

  /** `undefined` before there was a majority for the first time. Another object with each master. */
  get view(): View | undefined {
    return this.#view
  }

  /** From then on nobody uses the master before. */
  usableFrom({ since }: View): number {
    return since + (this.#lease ?? 0)
  }

  /** Whether a log that has seen a later term shows that the view is old. */
  isFenced({ since }: View, now: number): boolean {
    return now - since < ESCAPE
  }

  /** How long the view may be used if no Sentinel says anything any more. */
  leaseLeft(view: View, now: number): number {
    if (view !== this.#view) return 0
    return this.#lease === undefined ? Infinity : this.#leaseEnd - now
  }

  /** Whether a majority names the view at the moment. */
  get agreed(): boolean {
    return this.#view !== undefined && this.#votesFor(keyOf(this.#view)).length >= this.#quorum
  }

  /** @param vote `undefined` when it does not answer */
  vote(index: number, vote: Vote | undefined): void {
    this.#votes[index] = vote
    if (!vote) return
    const votes = this.#votesFor(keyOf(vote))
    if (votes.length < this.#quorum) return
    if (!this.#view || keyOf(this.#view) !== keyOf(vote)) this.#consider(vote, votes)
    if (this.#view && keyOf(this.#view) === keyOf(vote)) this.#renew(votes)
  }

  #consider(vote: Vote, votes: readonly Vote[]): void {
    const { address, term, answered } = vote
    // Of the same term, the later answer counts: while a Sentinel still turns the other replicas to the new master, it names
    // the old one with the new term.
    if (this.#view && term < this.#view.term) {
      const key = keyOf(vote)
      if (this.#doubt?.key !== key) this.#doubt = { key, since: answered }
      if (answered - this.#doubt.since < ESCAPE) return
    }
    this.#leaseEnd = -Infinity
    this.#view = { address, term, since: -this.#nth(votes.map((vote) => vote.age - vote.answered)) }
  }

  #renew(votes: readonly Vote[]): void {
    this.#doubt = undefined
    // A majority has named it at that moment or later.
    this.#leaseEnd = Math.max(this.#leaseEnd, this.#nth(votes.map(({ asked }) => asked)) + (this.#lease ?? 0))
  }

  /** The greatest number that a majority of them reaches. */
  #nth(numbers: readonly number[]): number {
    return numbers.toSorted((a, b) => b - a)[this.#quorum - 1]!
  }

  #votesFor(key: string): readonly Vote[] {
    return this.#votes.filter((vote) => vote !== undefined && keyOf(vote) === key) as Vote[]
  }
}

function keyOf({ address, term }: Pick<Vote, 'address' | 'term'>): string {
  return `${term} ${placeOf(address)}`
}
