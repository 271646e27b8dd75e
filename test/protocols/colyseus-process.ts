import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Client, Room, Server, matchMaker } from '@colyseus/core'
import { WebSocketTransport } from '@colyseus/ws-transport'
import { WebSocket } from 'ws'
import { serve } from '../proofs/child.ts'

/** A process with a Colyseus server in it: its matchmaker is a global of the process. */

// The server looks at WebSocket.OPEN when a client comes back: a global that Node has from 22 on only.
globalThis.WebSocket ??= WebSocket as never

let name = ''

/** Says who it is, and says back what it is told. */
class EchoRoom extends Room {
  override onCreate(): void {
    this.onMessage('echo', (client: Client, value: unknown) => client.send('echo', value))
    this.onMessage('whoAreYou', (client: Client) => client.send('iAm', name))
  }

  override async onDrop(client: Client): Promise<void> {
    await this.allowReconnection(client, 10)
  }
}

/** @returns its url */
async function start(id: string): Promise<string> {
  name = id
  const server = createServer()
  const game = new Server({ greet: false, transport: new WebSocketTransport({ server }) })
  game.define('echo', EchoRoom)
  await game.listen(0, '127.0.0.1')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const verbs = {
  start,
  /** Its rooms, with the number of their clients. */
  rooms: async () => {
    const rooms = await matchMaker.query({})
    return rooms.map(({ roomId, clients }) => ({ roomId, clients }))
  },
}

export type ColyseusProcess = typeof verbs

serve(verbs)
