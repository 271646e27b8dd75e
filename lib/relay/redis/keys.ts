/**
 * The keys of a relay. The name of a channel is a hash tag: all of its keys are in one slot of a Redis Cluster. What comes
 * after the last brace has none, so no two channels share a key, whatever they are called.
 */
export class Keys {
  readonly prefix: string
  readonly #pushes: string

  /** @param db pub/sub knows no databases, so that the channels must differ */
  constructor(prefix: string, db: number) {
    this.prefix = prefix
    this.#pushes = db === 0 ? prefix : `${prefix}@${db}`
  }

  /** Hash: what is known of the log. */
  meta(channel: string): string {
    return `${this.prefix}:{${channel}}:m`
  }

  /** Stream: the log. */
  log(channel: string): string {
    return `${this.prefix}:{${channel}}:l`
  }

  /** String: the number of the last message of a publisher. */
  publisher(channel: string, pid: string): string {
    return `${this.prefix}:{${channel}}:p:${pid}`
  }

  /** String: the offset of what was appended under an id of the application. */
  id(channel: string, id: string): string {
    return `${this.prefix}:{${channel}}:i:${encodeURIComponent(id)}`
  }

  /** What is pushed is published here. */
  pushes(channel: string): string {
    return `${this.#pushes}:{${channel}}`
  }

  /** String: written so that replicas have something to confirm. */
  heartbeat(session: string): string {
    return `${this.prefix}:hb:${session}`
  }
}
