import { AwaitedPongs } from './awaited-pongs.ts'
import { type FrameTracker, OPCODE } from './frame-tracker.ts'
import { LONGEST_CONTROL_FRAME, controlPayload } from './frame-writer.ts'

/**
 * Takes the answers to Pings of ours out of a stream; every other Pong passes (RFC 6455 §5.5.3). Only at work while an
 * answer is awaited: it looks at each frame, and holds back a Pong until it is complete.
 */
export class PongFilter {
  readonly #tracker: FrameTracker
  readonly #awaited = new AwaitedPongs()
  #held: Buffer | undefined

  constructor(tracker: FrameTracker) {
    this.#tracker = tracker
  }

  /** Looks for the Pong with this payload too. */
  await(payload: Buffer, onPong: () => void): void {
    this.#awaited.await(payload, onPong)
  }

  /** No answer is awaited any more. */
  get done(): boolean {
    return this.#awaited.done
  }

  /** The beginning of a Pong that has not ended yet: to be passed on by whoever stops filtering. */
  get held(): Buffer | undefined {
    return this.#held
  }

  /** Follows a chunk, and hands on what is to pass. */
  pass(chunk: Buffer, write: (bytes: Buffer) => void): void {
    const tracker = this.#tracker
    tracker.begin(chunk)
    let passed = 0
    const passUntil = (end: number) => {
      if (end > passed) write(chunk.subarray(passed, end))
      passed = end
    }
    for (let offset = 0; offset < chunk.length;) {
      const startsPong = !this.done && tracker.atBoundary && (chunk[offset]! & 0x0f) === OPCODE.pong
      if (startsPong) {
        passUntil(offset)
        this.#held = Buffer.alloc(0)
      }
      const end = tracker.trackFrame(chunk, offset)
      if (this.#held) {
        passed = end
        this.#hold(chunk.subarray(offset, end), write)
      }
      offset = end
    }
    passUntil(chunk.length)
  }

  #hold(bytes: Buffer, write: (bytes: Buffer) => void): void {
    const held = Buffer.concat([this.#held!, bytes])
    this.#held = held
    const complete = this.#tracker.atBoundary
    // Longer than the protocol allows: somebody else's problem.
    if (!complete && held.length <= LONGEST_CONTROL_FRAME) return
    this.#held = undefined
    if (!complete || !this.#awaited.takes(controlPayload(held))) write(held)
  }
}
