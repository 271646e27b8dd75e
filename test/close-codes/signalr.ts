import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { type ClientKind, answering } from './client.ts'

/** Records of the JSON protocol end with this. */
const END = '\x1e'

/** Without negotiation; the handshake succeeds, and nothing else is answered. */
function signalR(name: string, reconnects: boolean): ClientKind {
  return {
    name,
    from: '@microsoft/signalr',
    serve: answering((text, socket) => {
      if (text.includes('"protocol"')) socket.send(`{}${END}`)
    }),
    open(_t, url, { connected, gaveUp }) {
      const builder = new HubConnectionBuilder().configureLogging(LogLevel.None).withUrl(`${url}/hub`, {
        skipNegotiation: true,
        transport: HttpTransportType.WebSockets,
      })
      if (reconnects) builder.withAutomaticReconnect([0, 1, 1, 1])
      const connection = builder.build()
      connection.onreconnected(connected)
      connection.onclose(gaveUp)
      void connection.start().then(connected)
      return () => connection.stop()
    },
  }
}

export const signalRAsItIs = signalR('@microsoft/signalr', false)
export const signalRThatReconnects = signalR('@microsoft/signalr with withAutomaticReconnect()', true)
