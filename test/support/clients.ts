import { once } from 'node:events'
import { type Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { type Socket, connect } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type ClientOptions, WebSocket } from 'ws'
import { type Scope } from './balancer.ts'
import { type RawBackend, type RawConnection, watch } from './backends.ts'

export interface RawClient extends RawConnection {
  readonly socket: Socket
  /** The connection is gone: `'end'` after a FIN, `'reset'` after an RST. */
  readonly closed: Promise<'end' | 'reset'>
  send(text: string | Buffer): void
  /** RST. */
  reset(): void
}

/** A TCP (or TLS) client that sends what a test says, byte by byte, and stays half-open. */
export async function rawClient(t: Scope, port: number, tls?: ConnectionOptions): Promise<RawClient> {
  const socket = tls
    ? connectTls({ port, host: '127.0.0.1', allowHalfOpen: true, ...tls } as ConnectionOptions)
    : connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  await once(socket, tls ? 'secureConnect' : 'connect')
  let error: Error | undefined
  socket.on('error', (cause: Error) => (error = cause))
  const connection: RawConnection = watch(socket)
  // Half-open by choice, but what the other side has finished is over for a test that waits for the end.
  const closed = new Promise<'end' | 'reset'>((resolve) => {
    socket.on('end', () => resolve('end'))
    socket.on('close', () => resolve(error ? 'reset' : 'end'))
  })
  t.teardown(() => void socket.destroy())
  return Object.defineProperties({} as RawClient, {
    ...(Object.getOwnPropertyDescriptors(connection) as PropertyDescriptorMap),
    closed: { value: closed },
    send: { value: (text: string | Buffer) => void socket.write(text) },
    reset: { value: () => void socket.resetAndDestroy() },
  })
}

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
/** RFC 6455 §1.3. */
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

/** The head of a right upgrade, with other or more fields where a test wants them; `undefined` leaves one out. */
export function upgradeHead(
  fields: Record<string, string | undefined> = {},
  requestLine = 'GET /chat HTTP/1.1',
): string {
  const all = {
    Host: 'example.test',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...fields,
  }
  return head(requestLine, all)
}

/** The head of a right answer to {@link upgradeHead}. */
export function switching(fields: Record<string, string | undefined> = {}): string {
  return head('HTTP/1.1 101 Switching Protocols', {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Accept': ACCEPT,
    ...fields,
  })
}

export function head(startLine: string, fields: Record<string, string | undefined> = {}): string {
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return [startLine, ...lines, '', ''].join('\r\n')
}

/** A tunnel through the balancer, with both of its ends in the hands of a test. */
export async function rawTunnel(
  t: Scope,
  port: number,
  backend: RawBackend,
): Promise<{ client: RawClient; upstream: RawConnection }> {
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  upstream.socket.write(switching())
  await client.has('\r\n\r\n')
  return { client, upstream }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly trailers: IncomingMessage['trailers']
  readonly body: string
}

export interface AskOptions extends RequestOptions {
  agent?: Agent | false
  body?: string | Buffer
}

/** One request, by default on a connection of its own. Rejects when the answer is cut short. */
export async function ask(url: string, { body, ...options }: AskOptions = {}): Promise<Answer> {
  const outgoing = (url.startsWith('https:') ? requestTls : request)(url, {
    agent: false,
    rejectUnauthorized: false,
    ...options,
  } as RequestOptions)
  outgoing.end(body)
  const [message] = (await once(outgoing, 'response')) as [IncomingMessage]
  const text = await textOf(message)
  const { statusCode: status = 0, headers, rawHeaders, trailers } = message
  return { status, headers, rawHeaders, trailers, body: text }
}

export async function textOf(message: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** An open WebSocket that is gone when the test is over. */
export async function wsClient(
  t: Scope,
  url: string,
  protocols: string[] = [],
  options: ClientOptions = {},
): Promise<WebSocket> {
  const client = new WebSocket(url.replace(/^http/, 'ws'), protocols, {
    rejectUnauthorized: false,
    ...options,
  })
  t.teardown(() => client.terminate())
  await once(client, 'open')
  return client
}
