import { type Digest } from './digest.ts'
import { KeyMemo } from './key-memo.ts'

/** Somebody who competes for keys. */
export interface Contender {
  readonly id: string
  /** Of the {@link id}, see `digestOf`. */
  readonly digest: Digest
}

/** Fewer are looked at as fast as a memo is. */
const FEW = 16
/** Picks after which a memo pays: who competes changes whenever a backend becomes full, and then it is made for nothing. */
const WARM = 128
/** How much of the order of a key is remembered: as far as somebody has asked, and no more. */
const DEEP = 8

/**
 * Weighted rendezvous hashing (highest random weight): each key draws a number for each contender, and the best number
 * by weight wins. Who wins depends on the key and on ids and weights alone, so every process agrees, in any order of the
 * list; of n one that comes or goes moves 1/n of the keys, from the others to it or from it to the others in
 * proportion to their weights, and nothing else.
 */
export class Rendezvous<T extends Contender> {
  readonly #groups: readonly Group<T>[]
  readonly #memo: boolean
  /** The order of each key, as far as it has been asked for. */
  #orders: KeyMemo<T[]> | undefined
  #picks = 0

  /** @param weightOf above 0 */
  constructor(contenders: readonly T[], weightOf: (contender: T) => number) {
    const byWeight = new Map<number, T[]>()
    for (const contender of contenders) {
      const weight = weightOf(contender)
      const group = byWeight.get(weight)
      if (group) group.push(contender)
      else byWeight.set(weight, [contender])
    }
    this.#groups = Array.from(byWeight, ([weight, members]) => new Group(members, weight))
    this.#memo = contenders.length > FEW
  }

  /** Whom the key belongs to; `undefined` when nobody competes. What has been asked lately costs the same for any number. */
  winner(key: Digest): T | undefined {
    const order = this.#orderOf(key)
    return order ? order[0] : this.#search(key)
  }

  /** The first in the key's own order that is accepted; asks for few of them. */
  first(key: Digest, accepts: (contender: T) => boolean): T | undefined {
    const order = this.#orderOf(key)
    if (!order) return this.#search(key, accepts)
    for (let rank = 0; rank < DEEP; rank++) {
      if (rank === order.length) {
        const next = this.#search(key, (contender) => !order.includes(contender))
        if (!next) return undefined
        order.push(next)
      }
      if (accepts(order[rank]!)) return order[rank]
    }
    return this.#search(key, accepts)
  }

  #orderOf(key: Digest): T[] | undefined {
    if (!this.#memo) return undefined
    if (!this.#orders) {
      if (++this.#picks < WARM) return undefined
      this.#orders = new KeyMemo()
    }
    return this.#orders.get(key) ?? this.#orders.set(key, [this.#search(key)!])
  }

  #search(key: Digest, accepts?: (contender: T) => boolean): T | undefined {
    let best: T | undefined
    let least = Infinity
    for (const group of this.#groups) {
      const contender = group.best(key, accepts)
      if (!contender) continue
      // One logarithm a weight, not one a contender: among equals the drawn number itself decides.
      const cost = -Math.log((drawn(key, contender.digest) + 0.5) / 2 ** 32) / group.weight
      if (!best || cost < least || (cost === least && contender.id < best.id)) {
        best = contender
        least = cost
      }
    }
    return best
  }
}

/** Contenders of one weight. */
class Group<T extends Contender> {
  readonly weight: number
  readonly #members: readonly T[]
  readonly #high: Int32Array
  readonly #low: Int32Array

  constructor(members: readonly T[], weight: number) {
    this.weight = weight
    this.#members = members
    this.#high = Int32Array.from(members, ({ digest }) => digest.high)
    this.#low = Int32Array.from(members, ({ digest }) => digest.low)
  }

  best({ high, low }: Digest, accepts: ((contender: T) => boolean) | undefined): T | undefined {
    const highs = this.#high
    const lows = this.#low
    let most = -1
    let best: T | undefined
    for (let i = 0; i < highs.length; i++) {
      const number = mixed(high ^ highs[i]!, low ^ lows[i]!)
      if (number < most) continue
      const member = this.#members[i]!
      if (number === most && best!.id < member.id) continue
      if (accepts && !accepts(member)) continue
      most = number
      best = member
    }
    return best
  }
}

function drawn(key: Digest, { high, low }: Digest): number {
  return mixed(key.high ^ high, key.low ^ low)
}

/** 64 bits to an unsigned 32: one round for the low half, then the finalizer "lowbias32" of Chris Wellons. */
function mixed(high: number, low: number): number {
  let hash = Math.imul(low ^ (low >>> 15), 0x2c1b3c6d)
  hash = (hash ^ (hash >>> 13)) + high
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad)
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
  return (hash ^ (hash >>> 15)) >>> 0
}
