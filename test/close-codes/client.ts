import { type Server } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Scope } from '../support/balancer.ts'

/** What a client says of itself. */
export interface Watcher {
  /** It can be used: connected, and greeted as its protocol asks. Again after each reconnect. */
  readonly connected: () => void
  /** It will not come back by itself. */
  readonly gaveUp: () => void
}

/** A client library as people use it, but for its delays: those are as short as it allows. */
export interface ClientKind {
  /** As the table of docs/close-codes.md calls it. */
  readonly name: string
  /** The package it comes from. */
  readonly from: string
  /** Lets a server speak as much of its protocol as it needs. */
  readonly serve: (t: Scope, server: Server) => void
  /** Starts one. @returns stops it */
  readonly open: (t: Scope, url: string, watcher: Watcher) => () => unknown
}

/** A server that answers each text message with what `answer` makes of it. */
export function answering(answer: (text: string, socket: WebSocket) => void): ClientKind['serve'] {
  return (_t, server) => {
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.on('message', (data: Buffer) => answer(String(data), socket))
    })
  }
}

/** A server that only accepts. */
export const silent = answering(() => {})

export function webSocketUrl(url: string): string {
  return url.replace('http', 'ws')
}
