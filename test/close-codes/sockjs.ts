import sockjs from 'sockjs'
import SockJS from 'sockjs-client'
import { withBrowsers } from '../support/browser.ts'
import { type ClientKind } from './client.ts'

export const sockJs: ClientKind = {
  name: 'sockjs-client',
  from: 'sockjs-client',
  serve(_t, server) {
    sockjs.createServer({ log: () => {} }).installHandlers(server, { prefix: '/echo' })
  },
  open(t, url, { connected, gaveUp }) {
    withBrowsers(t)
    const socket = new SockJS(`${url}/echo`, null, { transports: 'websocket' })
    socket.onopen = connected
    socket.onclose = gaveUp
    return () => socket.close()
  },
}
