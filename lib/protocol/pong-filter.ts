import { type FrameTracker, OPCODE } from './frame-tracker.ts'
import { LONGEST_CONTROL_FRAME, controlPayload } from './frame-writer.ts'

/**
 * Takes the answer to a Ping of ours out of a stream; every other Pong passes (RFC 6455 §5.5.3). Only at work while an
 * answer is awaited: it looks at each frame, and holds back a Pong until it is complete.
 */
export class PongFilter {
  readonly #tracker: FrameTracker
  readonly #payload: Buffer
  #held: Buffer | undefined
  /** The Pong has come and is gone. */
  answered = false

  constructor(tracker: FrameTracker, payload: Buffer) {
    this.#tracker = tracker
    this.#payload = payload
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
      const startsPong = !this.answered && tracker.atBoundary && (chunk[offset]! & 0x0f) === OPCODE.pong
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
    this.answered = complete && controlPayload(held).equals(this.#payload)
    if (!this.answered) write(held)
  }
}
