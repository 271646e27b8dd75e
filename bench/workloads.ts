import { once } from 'node:events'
import { Pool } from 'undici'
import { WebSocket } from 'ws'

/** Traffic through the proxy on `port`. Opening and closing are not measured, `run` is. */
export interface Workload {
  readonly name: string
  open(port: number): Promise<Session>
}

export interface Session {
  /** Does `count` of whatever is measured, and fails when one of them goes wrong. */
  run(count: number): Promise<void>
  close(): Promise<void>
}

const REQUEST_CONNECTIONS = 32
const ECHO_SOCKETS = 64
const HANDSHAKES_AT_ONCE = 16

export const request: Workload = {
  name: 'request',
  async open(port) {
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: REQUEST_CONNECTIONS })
    const headers = {
      accept: 'text/html,application/json;q=0.9,*/*;q=0.8',
      'accept-encoding': 'gzip, deflate, br',
      'accept-language': 'en',
      'user-agent': 'wslb-bench',
    }
    return {
      run: (count) =>
        inParallel(REQUEST_CONNECTIONS, count, async () => {
          const { statusCode, body } = await pool.request({
            method: 'GET',
            path: '/a/page?of=bench',
            headers,
          })
          const text = await body.text()
          if (statusCode !== 200 || text !== 'Hello, world!')
            throw new Error(`answered ${statusCode} ${text}`)
        }),
      close: () => pool.close(),
    }
  },
}

/** One message of `size` bytes there, and back. */
export function echo(name: string, size: number): Workload {
  const payload = Buffer.alloc(size, 'x')
  return {
    name,
    async open(port) {
      const sockets = await openSockets(port, ECHO_SOCKETS)
      const free = [...sockets]
      return {
        run: (count) =>
          inParallel(ECHO_SOCKETS, count, async () => {
            const socket = free.pop()!
            socket.send(payload)
            const [data] = (await once(socket, 'message')) as [Buffer]
            if (data.length !== size) throw new Error(`${data.length} bytes came back, not ${size}`)
            free.push(socket)
          }),
        close: () => closeSockets(sockets),
      }
    },
  }
}

/** A socket opened, and closed in order. */
export const handshake: Workload = {
  name: 'handshake',
  open: async (port) => ({
    run: (count) =>
      inParallel(HANDSHAKES_AT_ONCE, count, async () => {
        await closeSockets(await openSockets(port, 1))
      }),
    close: async () => {},
  }),
}

export async function openSockets(port: number, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = []
  await inParallel(HANDSHAKES_AT_ONCE, count, async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/a/socket`, { perMessageDeflate: false })
    await once(socket, 'open')
    sockets.push(socket)
  })
  return sockets
}

export async function closeSockets(sockets: readonly WebSocket[]): Promise<void> {
  await Promise.all(
    sockets.map(async (socket) => {
      socket.close(1000)
      await once(socket, 'close')
    }),
  )
}

async function inParallel(width: number, count: number, one: () => Promise<void>): Promise<void> {
  let left = count
  const worker = async () => {
    while (left-- > 0) await one()
  }
  await Promise.all(Array.from({ length: width }, worker))
}
