/** How many clients of each node a broadcast has reached, and what they answer. What a node says counts if it was there. */
export class Headcount {
  readonly #count: (clients: number) => void
  readonly #ack: (answer: unknown) => void
  readonly #counted = new Set<string>()
  #nodes: ReadonlySet<string> | undefined
  /** What was said before it was known who is there. */
  #early: (() => void)[] = []

  /** @param count called once for each node */
  constructor(count: (clients: number) => void, ack: (answer: unknown) => void) {
    this.#count = count
    this.#ack = ack
  }

  await(nodes: Iterable<string>): void {
    this.#nodes = new Set(nodes)
    for (const say of this.#early) say()
    this.#early = []
  }

  count(node: string, clients: number): void {
    if (!this.#nodes) return void this.#early.push(() => this.count(node, clients))
    if (!this.#nodes.has(node) || this.#counted.has(node)) return
    this.#counted.add(node)
    this.#count(clients)
  }

  ack(node: string, answer: unknown): void {
    if (!this.#nodes) return void this.#early.push(() => this.ack(node, answer))
    if (this.#nodes.has(node)) this.#ack(answer)
  }

  /** It will not say anything: it has gone, or came too late to hear of the broadcast. */
  leave(node: string): void {
    this.count(node, 0)
  }
}
