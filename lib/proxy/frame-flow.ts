import { type Duplex } from 'node:stream'
import { type Clock } from '../core/clock.ts'
import { FrameTracker } from '../protocol/frame-tracker.ts'
import { PongFilter } from '../protocol/pong-filter.ts'
import { type Flow, type FlowCounts } from './flow.ts'

/**
 * Milliseconds: a sender that still talks then, and has not answered our Ping, will not. Looking for its answer costs;
 * one that comes all the same passes, as any Pong that nobody asked for.
 */
const PATIENCE = 60_000

/**
 * Passes on what comes as it comes, with back-pressure, and follows it frame by frame.
 *
 *     open ──▶ until-boundary ──▶ over      endWith: our Close as soon as a frame ends
 *        └───▶ until-close ─────▶ over      endAtClose: our Close in place of the sender's
 *
 * While it is open, control frames of ours can go in between two frames, and the answers to them are taken out; messages of
 * ours between two messages.
 */
export class FrameFlow implements Flow {
  readonly #tracker = new FrameTracker()
  readonly #from: Duplex
  readonly #to: Duplex
  readonly #clock: Clock
  readonly pending = false
  #messages = 0
  #activeAt: number
  #state: 'open' | 'until-boundary' | 'until-close' | 'over' = 'open'
  /** The Close frame of ours that will end this flow. */
  #last: Buffer | undefined
  /** Messages of ours that have not found a place yet. */
  #waiting: { readonly message: Buffer; readonly onSent: () => void }[] | undefined
  #pongs: PongFilter | undefined
  /** When the last answer was asked for. */
  #askedAt = 0

  constructor(from: Duplex, to: Duplex, clock: Clock) {
    this.#from = from
    this.#to = to
    this.#clock = clock
    this.#activeAt = clock.now()
  }

  get counts(): FlowCounts {
    return this.#tracker
  }

  get closing(): boolean {
    return this.#tracker.closing
  }

  get closeCode(): number | undefined {
    return this.#tracker.closeCode
  }

  get activeAt(): number {
    return this.#activeAt
  }

  get over(): boolean {
    return this.#state === 'over'
  }

  pass(chunk: Buffer): void {
    if (this.#state !== 'open') return this.#passLast(chunk)
    if (this.#pongs) return this.#passWithoutPongs(this.#pongs, chunk)
    if (this.#waiting) return this.#passAround(chunk)
    this.#tracker.track(chunk)
    this.#noteActivity()
    this.#write(chunk)
  }

  resume(): void {
    this.#from.resume()
  }

  inject(frame: Buffer): boolean {
    if (this.#state !== 'open' || this.#tracker.closing || !this.#tracker.atBoundary) return false
    this.#write(frame)
    return true
  }

  send(message: Buffer, onSent: () => void): boolean {
    if (this.#state !== 'open' || this.#tracker.closing || !this.#to.writable) return false
    if (this.#betweenMessages && !this.#waiting) this.#to.write(message, onSent)
    else (this.#waiting ??= []).push({ message, onSent })
    return true
  }

  awaitPong(payload: Buffer, onPong: () => void): void {
    if (this.#state !== 'open') return
    this.#pongs ??= new PongFilter(this.#tracker)
    this.#pongs.await(payload, onPong)
    this.#askedAt = this.#clock.now()
  }

  endWith(close: Buffer): void {
    if (this.over || (this.#tracker.closing && this.#state !== 'until-close')) return
    this.#last = close
    this.#state = 'until-boundary'
    this.#stopFiltering()
    if (this.#tracker.atBoundary) this.#finish()
    this.#dropWaiting()
  }

  endAtClose(close: Buffer): void {
    if (this.#state !== 'open' || this.#tracker.closing) return
    this.#last = close
    this.#state = 'until-close'
    this.#stopFiltering()
    this.#dropWaiting()
  }

  finish(close?: Buffer): void {
    if (close && !this.#tracker.closing) this.endWith(close)
    // Ending what has ended already costs an error object with a stack.
    if (this.#to.writable) this.#to.end()
  }

  get #betweenMessages(): boolean {
    return this.#tracker.atBoundary && !this.#tracker.inMessage
  }

  /** Lets in what waits, at the first place there is. */
  #passAround(chunk: Buffer): void {
    const tracker = this.#tracker
    tracker.begin(chunk)
    let passed = 0
    for (let offset = 0; offset < chunk.length;) {
      offset = tracker.trackFrame(chunk, offset)
      if (!this.#waiting || !this.#betweenMessages) continue
      this.#write(chunk.subarray(passed, offset))
      this.#sendWaiting()
      passed = offset
    }
    if (passed < chunk.length) this.#write(chunk.subarray(passed))
    this.#noteActivity()
  }

  #sendWaiting(): void {
    if (this.#tracker.closing || !this.#to.writable) return this.#dropWaiting()
    for (const { message, onSent } of this.#waiting!) this.#to.write(message, onSent)
    this.#waiting = undefined
  }

  /** Last of all: whoever is told may have more to send at once, or to close. */
  #dropWaiting(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.forEach(({ onSent }) => onSent())
  }

  #noteActivity(): void {
    const { messages, inMessage } = this.#tracker
    if (messages === this.#messages && !inMessage) return
    this.#messages = messages
    this.#activeAt = this.#clock.now()
  }

  #passWithoutPongs(pongs: PongFilter, chunk: Buffer): void {
    pongs.pass(chunk, this.#write)
    this.#noteActivity()
    if (this.#waiting && this.#betweenMessages) this.#sendWaiting()
    if (pongs.done) this.#pongs = undefined
    else if (this.#activeAt > this.#askedAt + PATIENCE) this.#stopFiltering()
  }

  #stopFiltering(): void {
    const held = this.#pongs?.held
    this.#pongs = undefined
    if (held) this.#write(held)
  }

  #passLast(chunk: Buffer): void {
    this.#tracker.track(chunk)
    this.#noteActivity()
    if (this.over) return
    const { closeStart, lastBoundary } = this.#tracker
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
