import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { docs, setupWSConnection } from '@y/websocket-server/utils'
import { WebSocketServer } from 'ws'
import { serve } from '../proofs/child.ts'

/** A process with the server of y-websocket in it: its documents are a global of the process. */

/** @returns its url */
async function start(): Promise<string> {
  const server = createServer((_request, response) => response.end('okay'))
  new WebSocketServer({ server }).on('connection', (socket, request) => setupWSConnection(socket, request))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const verbs = {
  start,
  /** The documents it has clients for, with their number. */
  documents: () =>
    [...docs].map(([name, { conns }]) => [name, conns.size] as const).filter(([, size]) => size > 0),
}

export type YjsProcess = typeof verbs

serve(verbs)
