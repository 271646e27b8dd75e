import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { type Clock } from '../core/clock.ts'
import { OPCODE } from '../protocol/frame-tracker.ts'
import { controlFrame } from '../protocol/frame-writer.ts'
import { writeRandom } from '../protocol/random-bytes.ts'
import { type Flow } from './flow.ts'

/** Half periods of silence: after which of them to ask, to ask again, and to give up. */
const ASK = 2
const ASK_AGAIN = 4
const GIVE_UP = 6

/** Bytes by which the answer to a Ping is known. */
const NONCE = 8

export interface PulseOptions {
  readonly socket: Duplex
  /** What the leg sends. */
  readonly sends: Flow
  /** What is sent to the leg. */
  readonly receives: Flow
  /** Whether frames to the leg are masked (RFC 6455 §5.3). */
  readonly masked: boolean
  readonly clock: Clock
}

/**
 * Whether one leg of a tunnel is still there. A leg that sends nothing is pinged; one that answers neither of two Pings
 * is dead. A leg that is slow but still takes what it is sent is alive.
 */
export class Pulse {
  readonly #options: PulseOptions
  #silent = 0
  #received = 0
  #taken = 0
  #waiting = false
  /** When it was last asked: bytes that it had sent and taken, and whether there was a place for a Ping. */
  #asked = { received: 0, taken: 0, pinged: false }
  /** Milliseconds from the last Ping to its Pong. */
  rtt: number | undefined

  constructor(options: PulseOptions) {
    this.#options = options
  }

  /** To be called every half period. @returns false when the leg is dead */
  beat(): boolean {
    if (this.#showsLife()) {
      this.#silent = 0
      return true
    }
    // It may well send, but is not read, because the other leg does not take it: then that one is to be judged.
    if (this.#options.socket.isPaused() && !this.#waiting) return true
    this.#silent++
    const due = this.#silent === ASK || this.#silent === ASK_AGAIN
    // Within a long frame there is no place for a Ping: nothing was asked, so nothing is held against the leg,
    // unless it does not take the frame either.
    if (due && !this.#ping() && !this.#waiting) this.#silent--
    return this.#silent < GIVE_UP
  }

  /** Asks for a sign of life out of turn: by a Ping, where there is a place for one. */
  ask(): void {
    const { socket, sends } = this.#options
    this.#asked = { received: sends.counts.bytes, taken: takenBy(socket), pinged: this.#ping() }
  }

  /**
   * Whether something has come since {@link ask}, or nothing can: a leg that the other one is too slow for is not read.
   * Within a long frame nothing was asked: there it is enough that the leg goes on taking it.
   */
  get answered(): boolean {
    const { socket, sends } = this.#options
    const { received, taken, pinged } = this.#asked
    if (sends.counts.bytes !== received || socket.isPaused()) return true
    return !pinged && takenBy(socket) > taken
  }

  #showsLife(): boolean {
    const { socket, sends } = this.#options
    const received = sends.counts.bytes
    // Of what was waiting at the last look, some has been taken since.
    const taken = takenBy(socket)
    const alive = received !== this.#received || (this.#waiting && taken > this.#taken)
    this.#received = received
    this.#taken = taken
    this.#waiting = socket.writableLength > 0
    return alive
  }

  #ping(): boolean {
    const { sends, receives, masked, clock } = this.#options
    const nonce = Buffer.allocUnsafe(NONCE)
    writeRandom(nonce, 0, NONCE)
    if (!receives.inject(controlFrame(OPCODE.ping, nonce, masked))) return false
    const sentAt = clock.now()
    sends.awaitPong(nonce, () => (this.rtt = clock.now() - sentAt))
    return true
  }
}

/** Bytes that have gone out to the peer, without those that wait for it. */
function takenBy(socket: Duplex): number {
  return ((socket as Socket).bytesWritten ?? 0) - socket.writableLength
}
