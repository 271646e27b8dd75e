/** A question to all nodes of a namespace: it is over when each that was there has answered or will not any more. */
export class RollCall<T> {
  readonly #over: (answers: T[]) => void
  readonly #answers: T[] = []
  readonly #heard = new Set<string>()
  #awaited: Set<string> | undefined

  /** @param over called once */
  constructor(over: (answers: T[]) => void) {
    this.#over = over
  }

  get answers(): T[] {
    return this.#answers
  }

  /** How many nodes are still to answer. */
  get missing(): number {
    return this.#awaited?.size ?? 0
  }

  /** Says who is there. Answers may have come before. */
  await(nodes: Iterable<string>): void {
    this.#awaited = new Set([...nodes].filter((node) => !this.#heard.has(node)))
    if (this.#awaited.size === 0) this.#over(this.#answers)
  }

  answer(node: string, answers: readonly T[]): void {
    if (!this.#heard.has(node)) this.#answers.push(...answers)
    this.leave(node)
  }

  /** It will not answer: it has gone, or came too late to hear the question. */
  leave(node: string): void {
    this.#heard.add(node)
    if (this.#awaited?.delete(node) && this.#awaited.size === 0) this.#over(this.#answers)
  }
}
