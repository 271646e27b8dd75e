import { type ServerResponse } from 'node:http'
import { type Clock, type Timer } from '../core/clock.ts'
import { type Problem } from '../config/problems.ts'

/** The last line of an answer. */
export type Outcome = { readonly result: object } | { readonly problems: readonly Problem[] }
/** A line of an answer. */
export type Line = Outcome | { readonly progress: object }

/** An answer that takes its time shows a sign of life this often; a client may take twice as much silence for death. */
export const SIGN_OF_LIFE = 5_000

/** The answer to one call: lines of JSON, the last of which is the outcome. Empty lines are signs of life. */
export class Reply {
  readonly #response: ServerResponse
  readonly #clock: Clock
  #timer!: Timer

  constructor(response: ServerResponse, clock: Clock) {
    this.#response = response
    this.#clock = clock
    // Writing to a client that has just left is no concern of ours.
    response.on('error', () => {})
    response.once('close', () => this.#timer.cancel())
    this.#rest()
  }

  progress(progress: object): void {
    this.#write(`${JSON.stringify({ progress } satisfies Line)}\n`)
  }

  /** @param status says how it went to those who do not read lines, if none has been written yet */
  end(outcome: Outcome, status = 200): void {
    this.#timer.cancel()
    const body = `${JSON.stringify(outcome)}\n`
    if (this.#response.headersSent) this.#response.end(body)
    else
      this.#response
        .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
        .end(body)
  }

  #rest(): void {
    this.#timer = this.#clock.schedule(SIGN_OF_LIFE, () => this.#write('\n'))
  }

  #write(text: string): void {
    const response = this.#response
    this.#timer.cancel()
    if (response.destroyed || response.writableEnded) return
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    // Who does not read misses lines, and is cut by the timeout of the server.
    if (!response.writableNeedDrain) response.write(text)
    this.#rest()
  }
}
