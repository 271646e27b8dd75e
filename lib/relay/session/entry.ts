/** One message as it stands in the log of its channel. */
export interface Entry {
  /** Place in the channel's log: 1, 2, 3 …; 0 for a message of a channel without history. */
  readonly offset: number
  /** The process that published it: random per start, so that two lives of a server are two publishers. */
  readonly pid: string
  /** Number of the message among those of its publisher in this channel: 1, 2, 3 … */
  readonly seq: number
  /** See `envelope.ts`. */
  readonly body: Buffer
}

/** An entry as it is pushed to those who listen. */
export interface Pushed extends Entry {
  /** Epoch of the log that it was appended to, see {@link Slice}; of the session for a channel without history. */
  readonly epoch: string
}

/** Entries of one publisher that are appended together: all of them or none. */
export interface Batch {
  readonly pid: string
  /**
   * The oldest `seq` that the publisher can still repeat. A log that has nothing of this publisher may begin there;
   * anything else that does not follow the last one is a hole.
   */
  readonly floor: number
  /** In order, without a hole between them. */
  readonly entries: readonly Draft[]
}

export interface Draft {
  readonly seq: number
  readonly body: Buffer
  /** A key of the application: what was appended under it once is not appended again. */
  readonly id?: string | undefined
}

/** How much of a channel is kept. */
export interface History {
  /** Entries. */
  readonly length: number
  /** Milliseconds. */
  readonly ttl: number
}

/** What became of one draft. */
export interface Placed {
  /** 0 where the entry stands in the log already, and so far back that its place is not known any more. */
  readonly offset: number
  /** It stood there already: repeated by its publisher, or somebody published under the same id. */
  readonly duplicate: boolean
  /** Connections that the entry was pushed to; 0 for a duplicate. */
  readonly receivers: number
}

/**
 * `epoch` is that of the log. `hole`: the log does not have what comes before; it ends with `last` of this publisher, who repeats all from there on.
 */
export type Appended =
  | { readonly status: 'placed'; readonly epoch: string; readonly placed: readonly Placed[] }
  | { readonly status: 'hole'; readonly last: number }
