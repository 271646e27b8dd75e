import { type ManagerOptions, type SocketOptions, type Socket, io } from 'socket.io-client'
import { until } from '../support/until.ts'
import { serve } from './child.ts'
import { PATIENCE } from './patience.ts'
import { Stalls } from './stalls.ts'

/** A process full of Socket.IO clients that talk and reconnect, by themselves, as those of a user do. */

export interface SocketIoCrowdOptions {
  readonly url: string
  /** Of each kind: with the default transports, and with WebSocket only. */
  readonly count: number
  readonly reconnectionDelay: number
}

/** Times in milliseconds since 1970. */
export interface Outage {
  readonly reason: string
  /** The server it was on. */
  readonly server: string
  readonly from: number
  to: number | undefined
}

export interface SocketIoRecord {
  readonly transports: string
  /** The servers that have welcomed it, in order. */
  readonly servers: string[]
  readonly outages: Outage[]
  /** What a user would see as an error. */
  readonly errors: string[]
  said: number
  acknowledged: number
}

const WIDTH = 20
const EVERY = 500

const clients: { readonly socket: Socket; readonly record: SocketIoRecord }[] = []
const stalls = new Stalls()
let timer: NodeJS.Timeout

/** Settles when all have been welcomed, and have a WebSocket. */
async function open({ url, count, reconnectionDelay }: SocketIoCrowdOptions): Promise<void> {
  const options = { forceNew: true, withCredentials: true, reconnectionDelay, retries: 20, ackTimeout: 5_000 }
  const kinds = Array.from({ length: count }, () => [{}, { transports: ['websocket'] }]).flat()
  const queue = kinds.values()
  const worker = async () => {
    for (const kind of queue) await connect(url, { ...options, ...kind })
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
  const isUpgraded = ({ socket }: { socket: Socket }) => socket.io.engine.transport.name === 'websocket'
  await until(() => clients.every(isUpgraded), 'a WebSocket for each', PATIENCE)
  timer = setInterval(() => {
    for (const { socket, record } of clients) say(socket, record)
  }, EVERY)
}

async function connect(url: string, options: Partial<ManagerOptions & SocketOptions>): Promise<void> {
  const socket = io(url, options)
  const transports = options.transports?.join() ?? 'default'
  const record: SocketIoRecord = {
    transports,
    servers: [],
    outages: [],
    errors: [],
    said: 0,
    acknowledged: 0,
  }
  clients.push({ socket, record })
  socket.on('welcome', (server: string) => {
    record.servers.push(server)
    const outage = record.outages.at(-1)
    if (outage) outage.to = Date.now()
  })
  socket.on('disconnect', (reason) =>
    record.outages.push({ reason, server: record.servers.at(-1)!, from: Date.now(), to: undefined }),
  )
  socket.on('connect_error', ({ message }) => record.errors.push(message))
  await until(() => record.servers.length > 0, 'a welcome', PATIENCE)
}

function say(socket: Socket, record: SocketIoRecord): void {
  socket.emit('say', String(record.said++), (error: Error | null) => {
    if (error) record.errors.push(`not acknowledged: ${error.message}`)
    else record.acknowledged++
  })
}

/** Settles when everybody is connected, and everything that was said is acknowledged. */
async function fallSilent(): Promise<void> {
  clearInterval(timer)
  const quiet = () =>
    clients.every(({ socket, record }) => socket.connected && record.said === record.acknowledged)
  await until(quiet, 'every acknowledgement', PATIENCE)
}

const verbs = {
  open,
  fallSilent,
  records: () => clients.map(({ record }) => record),
  stall: () => stalls.longest,
  leave: () => {
    for (const { socket } of clients) socket.disconnect()
  },
}

export type SocketIoCrowd = typeof verbs

serve(verbs)
