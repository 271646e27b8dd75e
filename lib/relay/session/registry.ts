/** The connection that holds a client. */
export interface Owner {
  readonly nodeId: string
  /** Unique among the connections of the node. */
  readonly connId: string
}

/** A client in a room. */
export interface Member extends Owner {
  readonly clientId: string
  /** What the application said of it, as JSON. */
  readonly info: string
}

/** A client that a sweep has taken out of a room, or of the directory where `room` is `undefined`. */
export interface Swept extends Owner {
  readonly clientId: string
  readonly room: string | undefined
}

/** A node that has a lease. */
export interface Peer {
  readonly nodeId: string
  /** The epoch it was on when it last said something. */
  readonly epoch: string
}

/**
 * Who is connected where. A node holds one lease for all of its clients; where the lease ends, any other node may sweep
 * what it left. Time is that of the server. Every call rejects where a session's do.
 */
export interface Registry {
  /** Renews the lease of a node and says which epoch it is on. @returns the nodes that have a lease, itself included */
  beat(nodeId: string, epoch: string, lease: number): Promise<readonly Peer[]>
  /** Gives the lease up, so that a sweep finds its clients at once. */
  retire(nodeId: string): Promise<void>
  /** The newest connection of a client is the one. @returns the one before, if it was another */
  claim(clientId: string, owner: Owner): Promise<Owner | undefined>
  /** Only if it is still the owner's. @returns whether it was */
  release(clientId: string, owner: Owner): Promise<boolean>
  /** Of a node that has a lease. */
  locate(clientId: string): Promise<Owner | undefined>
  /** @returns whether the client was not in the room before */
  enter(room: string, member: Member): Promise<boolean>
  /** Only if it is still the owner's. @returns whether it was */
  leave(room: string, clientId: string, owner: Owner): Promise<boolean>
  /** Those of nodes that have a lease. */
  members(room: string): Promise<readonly Member[]>
  /** Takes out at most `limit` clients of nodes without a lease. Idempotent; any node may do it at any time. */
  sweep(limit: number): Promise<readonly Swept[]>
}
