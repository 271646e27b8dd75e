import { Socket } from 'phoenix'
import { WebSocket } from 'ws'
import { type ClientKind, answering, webSocketUrl } from './client.ts'

type Push = [joinRef: string | null, ref: string | null, topic: string, event: string, payload: object]

/** Joins and heartbeats succeed. */
export const phoenix: ClientKind = {
  name: 'phoenix',
  from: 'phoenix',
  serve: answering((text, socket) => {
    const [joinRef, ref, topic] = JSON.parse(text) as Push
    const reply: Push = [joinRef, ref, topic, 'phx_reply', { status: 'ok', response: {} }]
    socket.send(JSON.stringify(reply))
  }),
  open(_t, url, { connected }) {
    const socket = new Socket(`${webSocketUrl(url)}/socket`, {
      transport: WebSocket,
      reconnectAfterMs: () => 1,
      rejoinAfterMs: () => 1,
    })
    socket.connect()
    socket.channel('room:lobby').join().receive('ok', connected)
    return () => socket.disconnect()
  },
}
