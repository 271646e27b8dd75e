import { GraphQLBoolean, GraphQLInt, GraphQLObjectType, GraphQLSchema } from 'graphql'
import { createClient } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocket, WebSocketServer } from 'ws'
import { type ClientKind, webSocketUrl } from './client.ts'

/** One subscription that has an event at once and never another. */
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { ok: { type: GraphQLBoolean } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      tick: {
        type: GraphQLInt,
        subscribe: async function* () {
          yield { tick: 1 }
          await new Promise(() => {})
        },
      },
    },
  }),
})

function graphqlWs(name: string, options: { shouldRetry?: () => boolean }): ClientKind {
  return {
    name,
    from: 'graphql-ws',
    serve(_t, server) {
      useServer({ schema }, new WebSocketServer({ server }))
    },
    open(_t, url, { connected, gaveUp }) {
      const client = createClient({
        url: webSocketUrl(url),
        webSocketImpl: WebSocket,
        retryWait: async () => {},
        ...options,
      })
      const sink = { next: connected, error: gaveUp, complete: gaveUp }
      const unsubscribe = client.subscribe({ query: 'subscription { tick }' }, sink)
      return async () => {
        unsubscribe()
        await client.dispose()
      }
    },
  }
}

export const graphqlWsAsItIs = graphqlWs('graphql-ws', {})
export const graphqlWsThatRetries = graphqlWs('graphql-ws with shouldRetry', { shouldRetry: () => true })
