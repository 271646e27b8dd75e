import { ConfigError } from '../core/errors.ts'

/** What a client asks of the process. */
export interface Call {
  readonly input: Readonly<Record<string, unknown>>
  /** Aborts when the client has left. */
  readonly signal: AbortSignal
  /** Tells the client how far it has come. */
  readonly progress: (progress: object) => void
}

/** @returns the result, as plain JSON. A throw is told to the client. */
export type Verb = (call: Call) => object | Promise<object>

export type Verbs = ReadonlyMap<string, Verb>

/** A text that a call must have. @throws ConfigError */
export function textOf({ input }: Pick<Call, 'input'>, key: string): string {
  const text = input[key]
  if (typeof text === 'string' && text !== '') return text
  throw new ConfigError([{ path: key, message: 'expected a string that is not empty' }])
}
