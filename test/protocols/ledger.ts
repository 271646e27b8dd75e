/** What a crowd of clients has met with: every error, and whether each message came once and in order. */
export class Ledger {
  /** In the words of those who met with them. */
  readonly errors: string[] = []
  readonly #counts = new Map<string, number>()

  error(who: string, what: string): void {
    this.errors.push(`${who}: ${what}`)
  }

  /** A client got the message with this number; its first has the number 0. */
  received(who: string, number: number): void {
    const expected = this.count(who)
    if (number !== expected) this.error(who, `message ${number} came where ${expected} was due`)
    this.#counts.set(who, number + 1)
  }

  /** Messages a client has had. */
  count(who: string): number {
    return this.#counts.get(who) ?? 0
  }
}
