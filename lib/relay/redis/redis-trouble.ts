import { messageOf, WslbError } from '../../core/errors.ts'
import { ReplyError } from './connection.ts'

/** Why a server cannot be used, in words that begin with its place. */
export function troubleWith(place: string, error: unknown): WslbError {
  if (error instanceof WslbError) return error
  const words = error instanceof ReplyError ? serverWords(error) : reasonOf(error)
  return new WslbError('WSLB_RELAY_AWAY', `${place}: ${words}`, { cause: error })
}

/** What the server said. Redis 6 wraps what a command inside a script answered: `ERR Error running script … -READONLY …`. */
export function serverWords({ message }: ReplyError): string {
  const inner = /@user_script: ?\d+: -?([A-Z]+ .*)$/s.exec(message)?.[1] ?? message
  return inner.replace(/,? script: [0-9a-f]{40}.*$/s, '')
}

/** With several addresses Node tries each and reports them together, with an empty message. */
function reasonOf(error: unknown): string {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error]
  return errors.map(messageOf).join(', ')
}
