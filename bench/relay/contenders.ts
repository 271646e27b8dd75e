import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { createAdapter as pubSubAdapter } from '@socket.io/redis-adapter'
import { createAdapter as streamsAdapter } from '@socket.io/redis-streams-adapter'
import { createClient } from 'redis'
import { Server, type ServerOptions } from 'socket.io'
import { io } from 'socket.io-client'
import { createRelay, type Relay } from '../../lib/relay/index.ts'
import { createAdapter as relayAdapter } from '../../lib/relay/socket-io/create-adapter.ts'

/** A node of an application, joined to others by Redis. */
export interface Member {
  /** Settles when it is known to have left this process. */
  publish(text: string): Promise<unknown>
  /** Settles when everything that is published from then on arrives. */
  receive(listener: (text: string) => void): Promise<unknown>
}

/** Name → how a node joins the Redis at the url. */
export const CONTENDERS: Record<string, (url: string) => Promise<Member>> = {
  'plain pub/sub': plainPubSub,
  'relay, history 0': (url) => relayed(url, 0, 'master'),
  'relay, history 1000': (url) => relayed(url, 1_000, 'master'),
  'relay, history 1000, replicated': (url) => relayed(url, 1_000, 'replicated'),
  'socket.io, redis-adapter': async (url) => {
    const [pub, sub] = await Promise.all([connected(url), connected(url)])
    return socketIo(pubSubAdapter(pub, sub))
  },
  'socket.io, redis-streams-adapter': async (url) => socketIo(streamsAdapter(await connected(url))),
  'socket.io, wslb/relay': async (url) => {
    const relay = createRelay({ redis: { url } })
    await relay.ready()
    return socketIo(relayAdapter(relay))
  },
}

async function connected(url: string) {
  const client = createClient({ url })
  await client.connect()
  return client
}

async function plainPubSub(url: string): Promise<Member> {
  const [pub, sub] = await Promise.all([connected(url), connected(url)])
  return {
    publish: (text) => pub.publish('room', text),
    receive: (listener) => sub.subscribe('room', listener),
  }
}

async function relayed(url: string, length: number, ack: 'master' | 'replicated'): Promise<Member> {
  const relay: Relay = createRelay({ redis: { url }, publish: { replicas: ack === 'replicated' ? 1 : 0 } })
  await relay.ready()
  const channel = relay.channel('room', { history: { length } })
  return {
    publish: (text) => channel.publish(text, { ack }),
    receive: (listener) => channel.subscribe(({ data }) => listener(data as string)).ready,
  }
}

/** What is published is an `emit` to everybody; what is received has come to a client of this node. */
async function socketIo(adapter: ServerOptions['adapter']): Promise<Member> {
  const http = createServer()
  const server = new Server(http, { adapter })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    publish: async (text) => void server.emit('message', text),
    receive: async (listener) => {
      const client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
        transports: ['websocket'],
      })
      client.on('message', listener)
      await new Promise((resolve) => client.once('connect', () => resolve(undefined)))
    },
  }
}
