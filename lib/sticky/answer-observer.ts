/** Fields of an answer, names in lower case; a list where a field came more than once. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * Is shown the answer to one request, each part of it before the client gets that part. It cannot change the
 * answer, and what it throws is ignored; the answer goes on when it returns, so it should be quick.
 */
export interface AnswerObserver {
  /** Bytes of the body that are looked at; of a compressed one, bytes before and after it is decompressed. */
  readonly maxBody: number
  /** @returns whether the body is to be read */
  onHead(status: number, headers: AnswerHeaders): boolean
  /**
   * Called as the body comes in, some dozens of times at most, and at its end.
   * @param body from the beginning as far as it has come, decompressed; of UTF-8, the last character may be cut
   * @returns whether that was enough
   */
  onBody(body: string): boolean
}
