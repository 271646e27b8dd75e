import { createHash } from 'node:crypto'

/** What Redis answers. Bulk strings are bytes. */
export type Reply = string | number | Buffer | null | readonly Reply[]

/** Lua for Redis. */
export interface Script {
  readonly text: string
  /** What EVALSHA calls it. */
  readonly sha: string
}

export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** What is written over Redis besides the log: it asks the session by scripts. */
export interface Evaluator {
  /** On the master, in the order of the calls, once. Rejects as the calls of a session do. */
  eval(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<Reply>
}
