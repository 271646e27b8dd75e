/** What `attach()` needs of a connection. A `WebSocket` of the package `ws` is one as it is. */
export interface RelaySocket {
  /** Bytes that were given to {@link send} and have not been written yet. */
  readonly bufferedAmount: number
  /** @param written called when the frame was written, or with the error */
  send(frame: string | Uint8Array, written: (error?: Error | null) => void): void
  close(code: number, reason: string): void
  on(event: 'close' | 'error', listener: () => void): unknown
  /** Without it, a socket that outlives its attachments keeps their listeners. */
  off?(event: 'close' | 'error', listener: () => void): unknown
}
