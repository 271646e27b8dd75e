import { Centrifuge } from 'centrifuge'
import { WebSocket } from 'ws'
import { type ClientKind, answering, webSocketUrl } from './client.ts'

/** Commands come one a line; `connect` is the one that counts. */
export const centrifuge: ClientKind = {
  name: 'centrifuge',
  from: 'centrifuge',
  serve: answering((text, socket) => {
    for (const line of text.trim().split('\n')) {
      const { id, connect } = JSON.parse(line) as { id?: number; connect?: object }
      if (connect) socket.send(JSON.stringify({ id, connect: { client: 'c1', version: 'test', ping: 25 } }))
    }
  }),
  open(_t, url, { connected, gaveUp }) {
    const client = new Centrifuge(`${webSocketUrl(url)}/connection/websocket`, {
      websocket: WebSocket,
      minReconnectDelay: 1,
      maxReconnectDelay: 1,
    })
    client.on('connected', connected)
    client.on('disconnected', gaveUp)
    client.connect()
    return () => client.disconnect()
  },
}
