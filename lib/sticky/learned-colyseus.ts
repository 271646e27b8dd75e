import { type LearnedRule } from './learned-rule.ts'

/** What a client asks for by the id of its room: `POST <prefix>/matchmake/<method>/<room id>`. */
const BY_ROOM = /\/matchmake\/(?:joinById|reconnect)\/([^/]+)\/?$/
const MATCHMAKE = /\/matchmake\/\w+\/[^/]+\/?$/
/** Where the seat is taken: `<prefix>/<process id>/<room id>?sessionId=…`. */
const SEAT = /\/([\w-]+)\/[\w-]+$/

/**
 * Colyseus: the answer to a request for a room names the room and the process it is in; the WebSocket that follows has
 * the process in its path, and later requests for the room have the room. For processes that know their own rooms only:
 * those that share a driver hand out rooms of each other, and need a `publicAddress` each.
 */
export const colyseus: LearnedRule = {
  name: 'colyseus',
  id({ method, path, url, query }) {
    const room = method === 'POST' ? BY_ROOM.exec(path)?.[1] : undefined
    if (room !== undefined) return `room ${room}`
    if (method !== 'GET' || !url.includes('sessionId=') || !query.has('sessionId')) return undefined
    const process = SEAT.exec(path)?.[1]
    return process && `process ${process}`
  },
  opens: ({ method, path }) => method === 'POST' && MATCHMAKE.test(path),
  idFromAnswer(body) {
    const answer = JSON.parse(body) as Seat
    // Before 0.17 the room was an object of its own.
    const { roomId, processId, publicAddress } = answer.room ?? answer
    // The client goes there, and whoever has answered need not be who has the room.
    if (publicAddress) return undefined
    return [roomId && `room ${roomId}`, processId && `process ${processId}`].filter((id) => id !== undefined)
  },
}

interface Seat {
  readonly room?: Seat
  readonly roomId?: string
  readonly processId?: string
  readonly publicAddress?: string
}
