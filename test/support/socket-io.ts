import { type Socket, io } from 'socket.io-client'
import { type Scope } from './balancer.ts'
import { until } from './until.ts'

export type Transport = 'polling' | 'websocket'

/** A Socket.IO client of a {@link socketIoApp}. */
export interface Client {
  readonly socket: Socket
  /** Names of the servers it has been welcomed by, in order. */
  readonly servers: string[]
  /** What went wrong, in order. */
  readonly troubles: string[]
  readonly news: string[]
}

/** With the cookies of a browser: that is what `withCredentials` does outside one. */
export async function connect(
  t: Scope,
  url: string,
  transports: Transport[],
  query: Record<string, string> = {},
): Promise<Client> {
  const socket = io(url, {
    transports,
    query,
    forceNew: true,
    withCredentials: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
    perMessageDeflate: { threshold: 0 },
  })
  t.teardown(() => socket.disconnect())
  const client: Client = { socket, servers: [], troubles: [], news: [] }
  socket.on('welcome', (server: string) => client.servers.push(server))
  socket.on('news', (text: string) => client.news.push(text))
  socket.on('disconnect', (reason) => client.troubles.push(reason))
  socket.on('connect_error', (error) => client.troubles.push(error.message))
  await until(() => client.servers.length > 0, 'a welcome from a Socket.IO server')
  return client
}
