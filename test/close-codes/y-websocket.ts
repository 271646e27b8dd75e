import { type WebSocketServer as Server, WebSocket, WebSocketServer } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import { Doc } from 'yjs'
import { type ClientKind, webSocketUrl } from './client.ts'

/** A message of the sync protocol: step 2, with an update of two bytes that changes nothing. */
const NOTHING_NEW = Buffer.from([0, 1, 2, 0, 0])

export const yWebSocket: ClientKind = {
  name: 'y-websocket',
  from: 'y-websocket',
  serve(_t, server) {
    const rooms: Server = new WebSocketServer({ server })
    rooms.on('connection', (socket) => socket.send(NOTHING_NEW))
  },
  open(_t, url, { connected }) {
    const doc = new Doc()
    const provider = new WebsocketProvider(webSocketUrl(url), 'room', doc, {
      WebSocketPolyfill: WebSocket as never,
      disableBc: true,
      maxBackoffTime: 1,
    })
    provider.on('sync', (synced: boolean) => synced && connected())
    return () => {
      provider.destroy()
      doc.destroy()
    }
  },
}
