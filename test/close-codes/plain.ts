import { WebSocket as StandardWebSocket } from 'undici'
import { WebSocket } from 'ws'
import { type ClientKind, silent, webSocketUrl } from './client.ts'

type Constructor = new (
  url: string,
) => Pick<WebSocket, 'close'> & { onopen: (() => void) | null; onclose: (() => void) | null }

function plain(name: string, from: string, Socket: Constructor): ClientKind {
  return {
    name,
    from,
    serve: silent,
    open(_t, url, { connected, gaveUp }) {
      const socket = new Socket(webSocketUrl(url))
      socket.onopen = connected
      socket.onclose = gaveUp
      return () => socket.close()
    },
  }
}

export const ws = plain('ws', 'ws', WebSocket as Constructor)
/** As specified by the WHATWG, and so in browsers and Node. */
export const standardWebSocket = plain('WebSocket', 'undici', StandardWebSocket as Constructor)
