import { type Connection } from '../../../lib/relay/redis/connection.ts'

/** The master that a Sentinel names, and how many there have been. */
export interface Naming {
  readonly port: number
  readonly term: number
}

/** What one node hears from the Sentinel at a port; `undefined` when it hears nothing. */
export type Says = (sentinelPort: number) => Naming | undefined

/** A connection to a Sentinel that says what a test wants it to, when it wants it to. */
export function scriptedSentinel(port: number, says: Says): Connection {
  const ended = new AbortController()
  return {
    signal: ended.signal,
    subscribe: async () => {},
    unsubscribe: async () => {},
    destroy: () => ended.abort(new Error('the connection was closed')),
    command: async () => {
      const naming = says(port)
      // As if it were cut off: the question is given up by who has asked it.
      if (!naming) return new Promise(() => {})
      const { term } = naming
      return [
        'ip',
        '127.0.0.1',
        'port',
        String(naming.port),
        'config-epoch',
        String(term),
        'role-reported-time',
        '0',
        'num-other-sentinels',
        '2',
      ]
    },
  }
}
