import { type WslbError } from '../core/errors.ts'
import { type CloseCause } from '../core/events.ts'
import { type CloseReason } from './tunnel-options.ts'

/** How a message, or its hook, ends a tunnel. */
export interface MessageStop {
  readonly cause: CloseCause
  /** For the events. */
  readonly code: number
  readonly error: WslbError | undefined
  readonly toClient: CloseReason
  readonly toBackend: CloseReason
}

/** The client has gone, for whatever reason: what its backend is told (RFC 6455 §7.4.1). */
const CLIENT_GONE_REASON: CloseReason = { code: 1001, reason: '' }
/** What we got from behind us was no use (IANA registry of close codes). */
const BACKEND_BROKEN_REASON: CloseReason = { code: 1014, reason: 'bad message from the backend' }

/** A hook has asked for it. */
export function closedByHook(reason: CloseReason): MessageStop {
  return { cause: 'hook', code: reason.code, error: undefined, toClient: reason, toBackend: reason }
}

/** A hook has failed, or a peer has broken the protocol: then that one hears what it did. */
export function closedByError(error: WslbError): MessageStop {
  const { blame } = error
  const code = error.closeCode!
  const cause = blame === 'internal' ? 'hook' : 'error'
  const told = { code, reason: blame === 'internal' ? 'try again later' : error.message }
  return blame === 'backend'
    ? { cause, code, error, toClient: BACKEND_BROKEN_REASON, toBackend: told }
    : { cause, code, error, toClient: told, toBackend: CLIENT_GONE_REASON }
}
