import { type ConnectionFactory } from './connection.ts'

/** One server, or the Sentinels that know which one it is. */
export type RedisTarget = (SingleRedis | SentinelRedis) & RedisAccess

export interface SingleRedis {
  /** `redis://[user[:password]@]host[:port][/db]`, or `rediss://` for TLS. */
  url: string
}

export interface SentinelRedis {
  /** All of them: the majority of this list decides. */
  sentinels: readonly { host: string; port?: number }[]
  /** What the Sentinels call the master. @default 'mymaster' */
  name?: string
  /** User, password and TLS of the Sentinels themselves. */
  sentinel?: Pick<RedisAccess, 'username' | 'password' | 'tls'>
}

export interface RedisAccess {
  /** An ACL user. */
  username?: string
  password?: string
  /** Number of the database. @default 0 */
  db?: number
  /** TLS: `true`, or the options of `tls.connect()`. */
  tls?:
    | boolean
    | {
        ca?: string | Buffer
        cert?: string | Buffer
        key?: string | Buffer
        servername?: string
        rejectUnauthorized?: boolean
      }
  /** Makes the connections. @default by the package `redis` */
  connect?: ConnectionFactory
}
