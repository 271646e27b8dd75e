import reconnecting from 'reconnecting-websocket'
import { WebSocket } from 'ws'
import { type ClientKind, silent, webSocketUrl } from './client.ts'

// Its types are those of a module with a default export; in Node it is the class itself.
const ReconnectingWebSocket = reconnecting as unknown as typeof reconnecting.default

export const reconnectingWebSocket: ClientKind = {
  name: 'reconnecting-websocket',
  from: 'reconnecting-websocket',
  serve: silent,
  open(_t, url, { connected }) {
    const socket = new ReconnectingWebSocket(webSocketUrl(url), [], {
      WebSocket,
      minReconnectionDelay: 1,
      maxReconnectionDelay: 1,
    })
    socket.onopen = connected
    return () => socket.close()
  },
}
