/** The connection that holds a client. */
export interface Owner {
  readonly nodeId: string
  /** Given by the registry: unique, and of two the later one is the greater text. */
  readonly connId: string
}

/** What became of a claim: `owner` is who holds the client now. Somebody else, where a newer claim was there already. */
export interface Claim {
  readonly owner: Owner
  /** Who held it before, if that was another. */
  readonly previous: Owner | undefined
}

/** A client in a room. */
export interface Member extends Owner {
  readonly clientId: string
  /** Grows whenever the client enters, whoever holds it: what is told of an entry counts for this one and older ones. */
  readonly at: string
  /** What the application said of it, as JSON. */
  readonly info: string
}

/** A client that is in a room still although its node has no lease. */
export interface Orphan extends Owner {
  readonly room: string
  readonly clientId: string
  readonly at: string
}

export interface Sweep {
  readonly orphans: readonly Orphan[]
  /** There is more to look at: to be given to the next call. `undefined` when all was seen. */
  readonly next: string | undefined
}

/** A node that has a lease. */
export interface Peer {
  readonly nodeId: string
  /** The epoch it was on when it last said something. */
  readonly epoch: string
}

export interface Roll {
  /** Whether the lease was there still. If not, others may have swept what the node had. */
  readonly renewed: boolean
  /** The nodes that have a lease, the asking one included. */
  readonly peers: readonly Peer[]
}

/**
 * Who is connected where. A node holds one lease for all of its clients; where the lease ends, any other node may sweep
 * what it left. Time is that of the server. Every call rejects where a session's do.
 */
export interface Registry {
  /** Renews the lease of a node, in milliseconds, and says which epoch it is on. */
  beat(nodeId: string, epoch: string, lease: number): Promise<Roll>
  /** Gives the lease up, so that a sweep finds its clients at once. */
  retire(nodeId: string): Promise<void>
  /**
   * The newest connection of a client is the one.
   * @param connId of a claim that was made before: it is made again, and wins over older ones only
   */
  claim(clientId: string, nodeId: string, connId?: string): Promise<Claim>
  /** Only if it is still the owner's. @returns whether it was */
  release(clientId: string, owner: Owner): Promise<boolean>
  /** Of a node that has a lease. */
  locate(clientId: string): Promise<Owner | undefined>
  /**
   * The newest entry of a client is the one. @param connId as in {@link claim}
   * @returns the entry that is there now: of somebody else, where a newer one was there already
   */
  enter(room: string, clientId: string, nodeId: string, info: string, connId?: string): Promise<Member>
  /** Only if it is still the owner's. @returns whether it was */
  leave(room: string, clientId: string, owner: Owner): Promise<boolean>
  /** Those of nodes that have a lease. */
  members(room: string): Promise<readonly Member[]>
  /**
   * Looks through a bounded part of what nodes without a lease have left: takes their clients out of the directory, and
   * says whom it found in rooms. Those stay until somebody, having told it, takes them out with {@link leave}. Any node
   * may do it at any time.
   * @param limit about how many orphans at most
   * @param next of the call before
   */
  sweep(limit: number, next?: string): Promise<Sweep>
}
