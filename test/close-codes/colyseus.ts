import { Client, Protocol } from '@colyseus/sdk'
import { WebSocketServer } from 'ws'
import { type ClientKind, webSocketUrl } from './client.ts'

/** JOIN_ROOM with a reconnection token, a serializer without state, and no schema. */
const JOINED = Buffer.from([Protocol.JOIN_ROOM, ...sized('token'), ...sized('none'), 0])

function sized(text: string): number[] {
  return [text.length, ...Buffer.from(text)]
}

/** The seat is reserved beforehand, so nothing goes over HTTP. A room takes everybody back. */
export const colyseus: ClientKind = {
  name: '@colyseus/sdk',
  from: '@colyseus/sdk',
  serve(_t, server) {
    new WebSocketServer({ server }).on('connection', (socket) => socket.send(JOINED))
  },
  open(_t, url, { connected, gaveUp }) {
    const seat = { name: 'room', roomId: 'r1', processId: 'p1', sessionId: 's1' }
    const joining = new Client(webSocketUrl(url)).consumeSeatReservation(seat).then((room) => {
      Object.assign(room.reconnection, { minUptime: 0, minDelay: 1, maxDelay: 1 })
      room.onReconnect(connected)
      room.onLeave(gaveUp)
      connected()
      return room
    })
    return async () => {
      const room = await joining
      room.reconnection.enabled = false
      room.connection.close()
    }
  },
}
