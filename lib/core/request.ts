import { parseCookie } from 'cookie'
import { HeaderEdits } from './header-edits.ts'

/** Lower-case names; repeated fields joined the way `node:http` joins them. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

/** What arrival found out about a request; see {@link IncomingRequest} for the meaning of each field. */
export interface RequestHead {
  method: string
  url: string
  httpVersion: string
  host: string
  headers: RequestHeaders
  rawHeaders: readonly string[]
  secure: boolean
  remoteAddress: string
  clientAddress: string
  forwarded: Forwarded
}

/** What the backend is told about the client (`X-Forwarded-*`). */
export interface Forwarded {
  readonly for: string
  readonly proto: string
  readonly host: string
  /** Forwarding headers of a trusted peer that wslb does not write itself pass through. */
  readonly trusted: boolean
}

/**
 * A request as policies, strategies and hooks see it: plain data, parsed once, no socket.
 * HTTP requests and WebSocket upgrades look the same here.
 */
export class IncomingRequest {
  readonly method: string
  /** Path and query as sent, origin form (RFC 9112 §3.2.1). */
  readonly url: string
  /** {@link url} without the query. */
  readonly path: string
  /** `'1.1'` or `'1.0'`. */
  readonly httpVersion: string
  /** The `Host` header, port included; empty when an HTTP/1.0 client sent none. */
  readonly host: string
  readonly headers: RequestHeaders
  /** Names and values alternating, exactly as received. */
  readonly rawHeaders: readonly string[]
  /** Whether the client speaks TLS, to us or to a trusted proxy before us. */
  readonly secure: boolean
  /** Address of the peer on the socket. */
  readonly remoteAddress: string
  /** Address of the client: the peer's, or what a trusted peer says it is. */
  readonly clientAddress: string
  readonly forwarded: Forwarded
  /** For hooks: whatever is put here is carried to later hooks, events and the access log. */
  readonly context: Record<string, unknown> = {}
  /** For `onUpgrade`: `true` keeps a rebalance from closing the WebSocket, for as long as it is open. @default false */
  pinned = false
  #query: URLSearchParams | undefined
  #cookies: Record<string, string | undefined> | undefined
  #toBackend: HeaderEdits | undefined
  #toClient: HeaderEdits | undefined

  constructor(head: RequestHead) {
    this.method = head.method
    this.url = head.url
    const end = head.url.indexOf('?')
    this.path = end < 0 ? head.url : head.url.slice(0, end)
    this.httpVersion = head.httpVersion
    this.host = head.host
    this.headers = head.headers
    this.rawHeaders = head.rawHeaders
    this.secure = head.secure
    this.remoteAddress = head.remoteAddress
    this.clientAddress = head.clientAddress
    this.forwarded = head.forwarded
  }

  get query(): URLSearchParams {
    return (this.#query ??= new URLSearchParams(this.url.slice(this.path.length)))
  }

  get cookies(): Readonly<Record<string, string | undefined>> {
    const header = this.headers.cookie
    return (this.#cookies ??= typeof header === 'string' ? parseCookie(header) : {})
  }

  /** Header changes on the way to the backend. */
  get toBackend(): HeaderEdits {
    return (this.#toBackend ??= new HeaderEdits())
  }

  /** Header changes on the way to the client: on the response, on the `101` and on refusals. */
  get toClient(): HeaderEdits {
    return (this.#toClient ??= new HeaderEdits())
  }

  /** The edits asked for so far, without making an empty set of them. */
  get edits(): { toBackend: HeaderEdits | undefined; toClient: HeaderEdits | undefined } {
    return { toBackend: this.#toBackend, toClient: this.#toClient }
  }
}
