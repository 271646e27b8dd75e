/** What came from one leg of a tunnel. */
export interface FlowCounts {
  readonly bytes: number
  readonly frames: number
  /** Data messages that have ended; control frames are not messages. */
  readonly messages: number
}

/**
 * What one leg of a tunnel, the sender, sends to the other, the receiver. {@link FrameFlow} passes it on as it comes,
 * {@link MessageFlow} message by message. In either, frames of ours can go in between.
 */
export interface Flow {
  readonly counts: FlowCounts
  /** When something of a message last came; control frames do not count. */
  readonly activeAt: number
  /** The Close of the sender has been passed on, or dropped for one of ours. */
  readonly closing: boolean
  /** Its code; 1005 when it had none (RFC 6455 §7.1.5). */
  readonly closeCode: number | undefined
  /** Nothing more goes to the receiver: our Close has gone out. */
  readonly over: boolean
  /** A hook is at work on something that has come, and the receiver would still take it. */
  readonly pending: boolean

  pass(chunk: Buffer): void

  /** The receiver takes more again. */
  resume(): void

  /**
   * Puts a control frame between two frames of the sender.
   * @returns whether it was possible: not within a frame, nor where a Close has gone before
   */
  inject(frame: Buffer): boolean

  /**
   * Puts a message between two messages of the sender, as soon as there is a place.
   * @param onSent called when the receiver's connection has taken it, or it is dropped after all
   * @returns `false` where it is dropped at once: a Close has gone before
   */
  send(message: Buffer, onSent: () => void): boolean

  /** Takes the Pong with this payload out of what the sender sends. */
  awaitPong(payload: Buffer, onPong: () => void): void

  /**
   * Sends a Close frame behind what has come, as soon as it may stand there, and nothing after it.
   * Does nothing when the sender has begun its own Close: the receiver has what it needs.
   */
  endWith(close: Buffer): void

  /** Goes on until the sender's own Close, and sends this one instead. */
  endAtClose(close: Buffer): void

  /**
   * Nothing more comes from the sender, or is waited for: behind what has come the receiver's connection is ended.
   * @param close for a sender that has left without a Close of its own
   */
  finish(close?: Buffer): void
}
