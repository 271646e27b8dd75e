import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { type Attachment, type AttachOptions, type Relay } from '../../../lib/relay/index.ts'
import { type Scope } from '../../support/balancer.ts'
import { until } from '../../support/until.ts'

/** What a client has got of a channel. */
interface Got {
  readonly channel: string
  readonly data?: unknown
  readonly base64?: string
  readonly gap?: { readonly from: number; readonly to: number; readonly reason: string }
  readonly at?: string
}

/** A server of a node: each client says who it is and where it stood, and is attached to the channels that it names. */
export async function socketServer(
  t: Scope,
  relay: Relay,
  options: Partial<AttachOptions> = {},
  greet: (attachment: Attachment) => void = () => {},
): Promise<{ url: string; attachments: Attachment[]; sockets: WebSocket[] }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const attachments: Attachment[] = []
  const sockets: WebSocket[] = []
  server.on('connection', (socket, request) => {
    const query = new URL(request.url!, 'http://localhost').searchParams
    const resume = query.get('resume')
    const attachment = relay.attach(socket, { clientId: query.get('id')!, resume, ...options })
    for (const channel of query.getAll('channel')) void attachment.subscribe(channel)
    attachments.push(attachment)
    greet(attachment)
    sockets.push(socket)
  })
  t.teardown(async () => {
    for (const socket of server.clients) socket.terminate()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, attachments, sockets }
}

/** A browser, as the documentation shows it: it keeps `at` of each channel. */
export class Client {
  readonly got: Got[] = []
  readonly socket: WebSocket
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #at: Record<string, string>

  constructor(t: Scope, url: string, { id = 'bob', channels = ['room'], at = {} } = {}) {
    this.#at = { ...at }
    const query = new URLSearchParams({ id })
    for (const channel of channels) query.append('channel', channel)
    if (Object.keys(at).length > 0) query.set('resume', JSON.stringify(at))
    this.socket = new WebSocket(`${url}/?${String(query)}`)
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) =>
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    )
    this.socket.on('message', (text: Buffer) => {
      const frame = JSON.parse(text.toString()) as Got
      if (frame.at !== undefined) this.#at[frame.channel] = frame.at
      this.got.push(frame)
    })
    t.teardown(() => this.socket.terminate())
  }

  get at(): Record<string, string> {
    return this.#at
  }

  /** Of the last frame. */
  get last(): unknown {
    return this.got.at(-1)?.data
  }

  data(channel = 'room'): unknown[] {
    return this.got.filter((frame) => frame.channel === channel && 'data' in frame).map(({ data }) => data)
  }

  gaps(): Got[] {
    return this.got.filter(({ gap }) => gap)
  }

  /** Follows the channel. */
  async ready(channel = 'room'): Promise<this> {
    await until(
      () => this.got.some((frame) => frame.channel === channel && frame.at),
      `a place in ${channel}`,
    )
    return this
  }

  async has(count: number, channel = 'room', limit = 5_000): Promise<void> {
    // Looked at whole only when it can be enough.
    await until(
      () => this.got.length >= count && this.data(channel).length >= count,
      `${count} messages`,
      limit,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; there are ${this.data(channel).length}`)
    })
  }

  async gone(): Promise<void> {
    this.socket.terminate()
    await this.closed
  }
}
