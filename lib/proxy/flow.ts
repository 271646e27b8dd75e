import { type Duplex } from 'node:stream'
import { type Clock } from '../core/clock.ts'
import { FrameTracker } from '../protocol/frame-tracker.ts'
import { PongFilter } from '../protocol/pong-filter.ts'

/**
 * What one leg of a tunnel sends to the other: passed on as it comes, with back-pressure, and followed frame by frame.
 *
 *     open ──▶ until-boundary ──▶ over      endWith: our Close as soon as a frame ends
 *        └───▶ until-close ─────▶ over      endAtClose: our Close in place of the sender's
 *
 * While it is open, control frames of ours can go in between two frames, and the answers to them are taken out.
 */
export class Flow {
  readonly tracker = new FrameTracker()
  readonly #from: Duplex
  readonly #to: Duplex
  readonly #clock: Clock
  #messages = 0
  #activeAt: number
  #state: 'open' | 'until-boundary' | 'until-close' | 'over' = 'open'
  /** The Close frame of ours that will end this flow. */
  #last: Buffer | undefined
  #pongs: PongFilter | undefined

  constructor(from: Duplex, to: Duplex, clock: Clock) {
    this.#from = from
    this.#to = to
    this.#clock = clock
    this.#activeAt = clock.now()
  }

  /** When something of a message last came; control frames do not count. */
  get activeAt(): number {
    return this.#activeAt
  }

  /** Nothing more goes to the receiver: our Close has gone out. */
  get over(): boolean {
    return this.#state === 'over'
  }

  pass(chunk: Buffer): void {
    if (this.#pongs) return this.#passWithoutPongs(this.#pongs, chunk)
    this.tracker.track(chunk)
    this.#noteActivity()
    if (this.#state === 'open') this.#write(chunk)
    else if (this.#state !== 'over') this.#passLast(chunk)
  }

  /**
   * Puts a control frame between two frames of the sender.
   * @returns whether it was possible: not within a frame, nor where a Close has gone before
   */
  inject(frame: Buffer): boolean {
    if (this.#state !== 'open' || this.tracker.closing || !this.tracker.atBoundary) return false
    this.#write(frame)
    return true
  }

  /** Takes the Pong with this payload out of what the sender sends. */
  awaitPong(payload: Buffer, onPong: () => void): void {
    if (this.#state !== 'open') return
    this.#pongs ??= new PongFilter(this.tracker)
    this.#pongs.await(payload, onPong)
  }

  /**
   * Sends a Close frame as soon as a frame boundary allows, and nothing after it.
   * Does nothing when the sender has begun its own Close: the receiver has what it needs.
   */
  endWith(close: Buffer): void {
    if (this.over || (this.tracker.closing && this.#state !== 'until-close')) return
    this.#stopFiltering()
    this.#last = close
    if (this.tracker.atBoundary) this.#finish()
    else this.#state = 'until-boundary'
  }

  /** Goes on until the sender's own Close, and sends this one instead. */
  endAtClose(close: Buffer): void {
    if (this.#state !== 'open' || this.tracker.closing) return
    this.#stopFiltering()
    this.#last = close
    this.#state = 'until-close'
  }

  #noteActivity(): void {
    const { messages, inMessage, atBoundary } = this.tracker
    if (messages === this.#messages && !inMessage && atBoundary) return
    this.#messages = messages
    this.#activeAt = this.#clock.now()
  }

  #passWithoutPongs(pongs: PongFilter, chunk: Buffer): void {
    pongs.pass(chunk, this.#write)
    this.#noteActivity()
    if (pongs.done) this.#pongs = undefined
  }

  #stopFiltering(): void {
    const held = this.#pongs?.held
    this.#pongs = undefined
    if (held) this.#write(held)
  }

  #passLast(chunk: Buffer): void {
    const { closeStart, lastBoundary } = this.tracker
    const end = closeStart >= 0 ? closeStart : this.#state === 'until-boundary' ? lastBoundary : -1
    if (end < 0) return this.#write(chunk)
    if (end > 0) this.#write(chunk.subarray(0, end))
    this.#finish()
  }

  #finish(): void {
    this.#state = 'over'
    if (this.#last) this.#write(this.#last)
    // Whatever still comes is dropped, so there is nothing to hold back for.
    this.#from.resume()
  }

  readonly #write = (bytes: Buffer): void => {
    if (this.#to.writable && !this.#to.write(bytes)) this.#from.pause()
  }
}
