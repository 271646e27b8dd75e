import { once } from 'node:events'
import { type IncomingMessage, createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { until } from '../support/until.ts'
import { serve } from './child.ts'
import { PATIENCE } from './patience.ts'

/** A process with echoing backends in it, which know what they have heard. */

/** What one backend has heard from one visit of a talker. */
export interface Heard {
  readonly backend: string
  readonly client: number
  readonly visit: number
  /** Messages: number 0, 1, 2 … without a hole. */
  received: number
  broken: string | undefined
  code: number | undefined
}

const heard: Heard[] = []

/** @returns its url */
async function start(backend: string): Promise<string> {
  const server = createServer((_request, response) => response.end('ok'))
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  sockets.on('connection', (socket, request) => greet(socket, request, backend))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function greet(socket: WebSocket, { url = '' }: IncomingMessage, backend: string): void {
  const { searchParams } = new URL(url, 'http://localhost')
  const entry: Heard = {
    backend,
    client: Number(searchParams.get('client')),
    visit: Number(searchParams.get('visit')),
    received: 0,
    broken: undefined,
    code: undefined,
  }
  heard.push(entry)
  socket.on('message', (data: Buffer) => {
    if (String(data) === String(entry.received)) entry.received++
    else entry.broken ??= `${String(data)} in place of ${entry.received}`
    socket.send(data, { binary: false })
  })
  socket.on('close', (code) => (entry.code = code))
  socket.on('error', (error) => (entry.broken ??= error.message))
  socket.send(backend)
}

const verbs = {
  start,
  /** Of every visit so far; those that are over are complete. */
  heard: () => heard,
  /** Settles when every visit is over. */
  deserted: () => until(() => heard.every(({ code }) => code !== undefined), 'all to leave', PATIENCE),
}

export type EchoServer = typeof verbs

serve(verbs)
