import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { type ClientKind } from './client.ts'

export const socketIo: ClientKind = {
  name: 'socket.io-client',
  from: 'socket.io-client',
  serve(t, server) {
    const { engine } = new Server(server, { transports: ['websocket'] })
    t.teardown(() => engine.close())
  },
  open(_t, url, { connected, gaveUp }) {
    const socket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 1,
      reconnectionDelayMax: 1,
    })
    socket.on('connect', connected)
    socket.on('disconnect', () => !socket.active && gaveUp())
    socket.io.on('reconnect_failed', gaveUp)
    return () => socket.disconnect()
  },
}
