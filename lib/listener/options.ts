/** A certificate chain and its key, PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Where clients connect. */
export interface ListenerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly tls: Certificate | 'self-signed' | undefined
}

/** What a listener allows a client. All times in milliseconds. */
export interface ClientLimits {
  /** For the complete request head, from the first byte or the opening of the connection. */
  readonly headersTimeout: number
  /** An idle keep-alive connection is closed after that. */
  readonly keepAliveTimeout: number
}
