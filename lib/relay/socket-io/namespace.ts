/** What is used of a Socket.IO namespace besides what `socket.io-adapter` uses of it. */
export interface HostNamespace {
  readonly name: string
  readonly sockets: ReadonlyMap<string, HostSocket>
  readonly server: {
    readonly opts: { readonly connectionStateRecovery?: { readonly maxDisconnectionDuration: number } }
  }
}

export interface HostSocket {
  readonly acks: Map<number, unknown>
  readonly conn: { close(): void }
  packet(packet: HostPacket): void
}

export interface HostPacket {
  readonly type: number
  readonly data: unknown[]
  /** Set by the server that sends it, where clients answer. */
  readonly id?: number
}
