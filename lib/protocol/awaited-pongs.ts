/** Pings whose answers are looked for: of a peer that answers none, the older ones are forgotten. */
const MOST = 4

/** The Pings of ours that are in the air. */
export class AwaitedPongs {
  readonly #awaited: { readonly payload: Buffer; readonly onPong: () => void }[] = []

  /** Looks for the Pong with this payload too. */
  await(payload: Buffer, onPong: () => void): void {
    this.#awaited.push({ payload, onPong })
    if (this.#awaited.length > MOST) this.#awaited.shift()
  }

  /** No answer is awaited any more. */
  get done(): boolean {
    return this.#awaited.length === 0
  }

  /** Whether it is an answer to one of ours; every other Pong passes (RFC 6455 §5.5.3). */
  takes(pong: Buffer): boolean {
    const index = this.#awaited.findIndex(({ payload }) => payload.equals(pong))
    if (index < 0) return false
    // A peer may answer the latest of several Pings only (RFC 6455 §5.5.3).
    this.#awaited
      .splice(0, index + 1)
      .at(-1)!
      .onPong()
    return true
  }
}
