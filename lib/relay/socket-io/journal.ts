import { type Room } from 'socket.io-adapter'
import { Fifo } from '../delivery/fifo.ts'

/** A packet as it was broadcast. */
export interface Recorded {
  /** Its place, see `tokens.ts`; the data end with it. */
  readonly token: string
  readonly data: unknown[]
  readonly rooms: ReadonlySet<Room>
  readonly except: ReadonlySet<Room>
  /** Bytes, roughly. */
  readonly size: number
}

export interface JournalLimits {
  /** Packets. */
  readonly length: number
  readonly bytes: number
}

/** What this node has delivered last, in that order: what a client has missed is found here, without asking Redis. */
export class Journal {
  readonly #limits: JournalLimits
  readonly #packets = new Fifo<Recorded>()
  readonly #places = new Map<string, number>()
  /** Place of the oldest one. */
  #first = 0
  #bytes = 0
  #last = ''

  constructor(limits: JournalLimits) {
    this.#limits = limits
  }

  /** The token of the newest packet; '' without one. */
  get last(): string {
    return this.#last
  }

  /** The place behind the newest packet. */
  get end(): number {
    return this.#first + this.#packets.size
  }

  add(packet: Recorded): void {
    if (packet.token !== '') this.#places.set(packet.token, this.end)
    this.#packets.push(packet)
    this.#last = packet.token
    this.#bytes += packet.size
    while (this.#packets.size > this.#limits.length || this.#bytes > this.#limits.bytes) this.#drop()
  }

  /** The place behind the packet with that token; `undefined` when it is not known, or not any more. */
  behind(token: string): number | undefined {
    const place = this.#places.get(token)
    return place === undefined ? undefined : place + 1
  }

  /** What came at `place` and later for a socket in these rooms; `undefined` when not all of it is here any more. */
  since(place: number, rooms: readonly Room[]): unknown[][] | undefined {
    if (place < this.#first) return undefined
    const later = this.#packets.slice(place - this.#first, this.#packets.size)
    return later.filter((packet) => isFor(packet, rooms)).map(({ data }) => data)
  }

  /** Something is missing here: nobody goes on from before it. */
  clear(): void {
    // The place that it had is nobody's: who stands there lacks it too.
    this.#first = this.end + 1
    this.#packets.clear()
    this.#places.clear()
    this.#bytes = 0
    this.#last = ''
  }

  #drop(): void {
    const oldest = this.#packets.shift()
    if (!oldest) return
    this.#first++
    this.#places.delete(oldest.token)
    this.#bytes -= oldest.size
  }
}

function isFor({ rooms, except }: Recorded, joined: readonly Room[]): boolean {
  return (
    (rooms.size === 0 || joined.some((room) => rooms.has(room))) && !joined.some((room) => except.has(room))
  )
}
