import { once } from 'node:events'
import { type IncomingMessage } from 'node:http'
import { fetch, type RequestInit } from 'undici'
import { type ClientOptions, WebSocket } from 'ws'

/** Body and the pair of the `Set-Cookie`, ready to be sent back as `cookie`. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly cookie: string | undefined
}

/** A request on a connection of its own, so that it holds up nobody's end. */
export async function get(
  url: string,
  headers: Record<string, string> = {},
  init: RequestInit = {},
): Promise<Answer> {
  const answer = await fetch(url, { ...init, headers: { ...headers, connection: 'close' } })
  return { status: answer.status, body: await answer.text(), cookie: pairOf(answer.headers.getSetCookie()) }
}

export interface Greeted {
  readonly client: WebSocket
  /** The first message, from the backend. */
  readonly greeting: string
  readonly cookie: string | undefined
}

/** Opens a WebSocket and waits for what the backend says first. Rejects when the upgrade is refused. */
export async function open(url: string, options: ClientOptions = {}): Promise<Greeted> {
  const client = new WebSocket(url.replace(/^http/, 'ws'), options)
  let cookie: string | undefined
  client.once('upgrade', ({ headers }: IncomingMessage) => (cookie = pairOf(headers['set-cookie'])))
  const [greeting] = (await once(client, 'message')) as [Buffer]
  return { client, greeting: greeting.toString(), cookie }
}

/** The status that refused an upgrade. */
export async function refused(url: string, options: ClientOptions = {}): Promise<number | undefined> {
  const client = new WebSocket(url.replace(/^http/, 'ws'), options)
  client.on('error', () => undefined)
  const [, answer] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage]
  client.terminate()
  return answer.statusCode
}

/** Sends a message and waits for the next one. */
export async function ask(client: WebSocket, text: string): Promise<string> {
  const answer = once(client, 'message') as Promise<[Buffer]>
  client.send(text)
  return (await answer)[0].toString()
}

function pairOf(setCookies: readonly string[] = []): string | undefined {
  return setCookies.find((cookie) => cookie.startsWith('server='))?.split(';')[0]
}
