import { type ConnectionFactory } from '../../../lib/relay/redis/connection.ts'
import { connectNodeRedis } from '../../../lib/relay/redis/node-redis-connection.ts'
import { monotonicNow, type Witness } from './record.ts'
import { type Says, scriptedSentinel } from './scripted-sentinel.ts'

/** The ports that others know → those at which one node reaches them. */
export type Ways = Readonly<{ [port: string]: number }>

/** What a node tells a master and nobody else. */
const TELLING = ['EVALSHA', 'EVAL', 'SET', 'PUBLISH']

/** The connections of a node, which go its own way, and say from when to when they were used to tell a master something. */
export function watched(node: string, ways: Ways, record: Witness, says?: Says): ConnectionFactory {
  return async (options) => {
    const { address } = options
    if (says && address.host === 'sentinel') return scriptedSentinel(address.port, says)
    const connection = await connectNodeRedis({
      ...options,
      address: { ...address, port: ways[address.port] ?? address.port },
    })
    let first: number | undefined
    let last = 0
    connection.signal.addEventListener('abort', () => {
      if (first !== undefined)
        record({ kind: 'use', node, master: `${address.host}:${address.port}`, first, last })
    })
    return {
      signal: connection.signal,
      subscribe: (channel, listener) => connection.subscribe(channel, listener),
      unsubscribe: (channel) => connection.unsubscribe(channel),
      destroy: () => connection.destroy(),
      command: (args) => {
        if (TELLING.includes(String(args[0]))) {
          last = monotonicNow()
          first ??= last
        }
        return connection.command(args)
      },
    }
  }
}
