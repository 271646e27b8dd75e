import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'

interface Connection {
  /** Requests that have not been answered yet. */
  underWay: number
  /** What comes next on it is not to be read as a request. */
  refused: boolean
  /** Those that wait for their turn. */
  readonly waiting: Set<() => void>
  /** Lets them all go. One listener on the socket for all that wait, however many. */
  readonly release: () => void
}

const connections = new WeakMap<Duplex, Connection>()

function connectionOf(socket: Duplex): Connection {
  let connection = connections.get(socket)
  if (!connection) {
    const waiting = new Set<() => void>()
    const release = () => waiting.forEach((go) => go())
    connections.set(socket, (connection = { underWay: 0, refused: false, waiting, release }))
  }
  return connection
}

/** Counts a request in. @returns counts it out */
export function enter(socket: Socket): () => void {
  const connection = connectionOf(socket)
  connection.underWay++
  return () => connection.underWay--
}

/** Whether a request on this connection is still to be answered: an upgrade behind it would mix two streams. */
export function isBusy(socket: Duplex): boolean {
  const connection = connections.get(socket)
  return connection !== undefined && (connection.underWay > 0 || connection.refused)
}

/** After a request that can be read in two ways nothing on the connection can be trusted (RFC 9112 §11.2). */
export function refuseTheRest(socket: Socket): void {
  connectionOf(socket).refused = true
}

/**
 * Pipelined requests take turns (RFC 9112 §9.3.2): Node reads ahead, but a response that waits behind another one is
 * attached to no socket, and hears neither of back-pressure nor of a client that leaves.
 * @returns whether the request is to be served; `false` when its client has gone meanwhile
 */
export async function turn(message: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const { socket } = message
  if (response.socket === null && !socket.destroyed) await attached(response, socket)
  return !socket.destroyed && !connectionOf(socket).refused
}

function attached(response: ServerResponse, socket: Socket): Promise<void> {
  const { waiting, release } = connectionOf(socket)
  return new Promise((resolve) => {
    const go = () => {
      waiting.delete(go)
      response.off('socket', go)
      if (waiting.size === 0) socket.off('close', release)
      resolve()
    }
    if (waiting.size === 0) socket.on('close', release)
    waiting.add(go)
    response.once('socket', go)
  })
}
