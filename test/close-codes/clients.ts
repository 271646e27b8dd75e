import { centrifuge } from './centrifuge.ts'
import { type ClientKind } from './client.ts'
import { colyseus } from './colyseus.ts'
import { graphqlWsAsItIs, graphqlWsThatRetries } from './graphql-ws.ts'
import { phoenix } from './phoenix.ts'
import { standardWebSocket, ws } from './plain.ts'
import { reconnectingWebSocket } from './reconnecting-websocket.ts'
import { signalRAsItIs, signalRThatReconnects } from './signalr.ts'
import { socketIo } from './socket-io.ts'
import { sockJs } from './sockjs.ts'
import { yWebSocket } from './y-websocket.ts'

/** In the order of the table. */
export const clients: readonly ClientKind[] = [
  phoenix,
  graphqlWsAsItIs,
  graphqlWsThatRetries,
  centrifuge,
  colyseus,
  socketIo,
  reconnectingWebSocket,
  yWebSocket,
  signalRAsItIs,
  signalRThatReconnects,
  sockJs,
  ws,
  standardWebSocket,
]
