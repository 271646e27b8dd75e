import { type IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { ask } from '../support/clients.ts'
import { until } from '../support/until.ts'
import { serve } from './child.ts'
import { PATIENCE } from './patience.ts'
import { Stalls } from './stalls.ts'

/** A process of clients that go on asking, whatever happens, and write down what they see. */

export type Kind = 'GET' | 'POST' | 'upgrade'

export interface TrafficOptions {
  readonly url: string
  /** Of each kind a second. */
  readonly rates: Readonly<Record<Kind, number>>
  /** WebSockets that stay, talk twice a second, and come back when they are closed. */
  readonly stayers: number
}

/** What one client saw. */
export interface Sight {
  readonly kind: Kind
  /** The backend that answered. */
  readonly backend: string | undefined
  /** `undefined`: all went well. */
  readonly failure: string | undefined
  /** For an upgrade: it had its `101` before it failed. */
  readonly opened: boolean
  /** Milliseconds: when it began, since 1970, and how long it took. */
  readonly at: number
  readonly took: number
}

/** What has been seen since the last look. */
export interface Lap {
  readonly sights: readonly Sight[]
  /** Closes of those that stay, `1014 backend lost` e.g. */
  readonly closes: readonly string[]
  /** Longest time that this machine kept everybody waiting. */
  readonly stall: number
}

const TICK = 10
const stalls = new Stalls()
let url: string
let sights: Sight[] = []
let closes: string[] = []
/** When what is under way has begun. */
const underWay = new Set<{ readonly at: number }>()
let staying = 0
let stopped = false
let timer: NodeJS.Timeout

async function begin({ rates, stayers, ...options }: TrafficOptions): Promise<void> {
  ;({ url } = options)
  for (let i = 0; i < stayers; i++) void stay()
  await allStay(stayers)
  const due: Record<Kind, number> = { GET: 0, POST: 0, upgrade: 0 }
  let last = performance.now()
  timer = setInterval(() => {
    const now = performance.now()
    for (const kind of Object.keys(due) as Kind[]) {
      // After a stall of this machine no more than a few come at once.
      due[kind] = Math.min(5, due[kind] + ((now - last) * rates[kind]) / 1_000)
      for (; due[kind] >= 1; due[kind]--) void look(kind)
    }
    last = now
  }, TICK)
}

async function look(kind: Kind): Promise<void> {
  const since = performance.now()
  const begun = { at: Date.now() }
  underWay.add(begun)
  const seen = await (kind === 'upgrade' ? visit() : exchange(kind))
  underWay.delete(begun)
  sights.push({ kind, ...begun, took: performance.now() - since, ...seen })
}

type Seen = Pick<Sight, 'backend' | 'failure' | 'opened'>

async function exchange(method: 'GET' | 'POST'): Promise<Seen> {
  try {
    const { status, body } = await ask(url, method === 'POST' ? { method, body: 'once' } : { method })
    const failure = status === 200 ? undefined : `${status} ${body.trim()}`
    return { backend: body, failure, opened: false }
  } catch (error) {
    return { backend: undefined, failure: (error as Error).message, opened: false }
  }
}

/** Opens a WebSocket, is greeted, says something, hears it, and leaves. */
async function visit(): Promise<Seen> {
  const socket = open()
  let opened = false
  let backend: string | undefined
  socket.on('open', () => (opened = true))
  socket.on('message', (data: Buffer) => {
    if (backend === undefined) {
      backend = String(data)
      socket.send('echo')
    } else socket.close(1000)
  })
  const [failed, code] = await ended(socket)
  return { backend, opened, failure: failed ?? (code === 1000 ? undefined : `${code}`) }
}

async function stay(): Promise<void> {
  const socket = open()
  let timer: NodeJS.Timeout | undefined
  const at = Date.now()
  const since = performance.now()
  socket.on('open', () => {
    staying++
    timer = setInterval(() => socket.send('still here'), 500)
  })
  const [failed, code, reason] = await ended(socket)
  clearInterval(timer)
  if (timer) staying--
  else sights.push({ kind: 'upgrade', at, took: performance.now() - since, ...never(failed) })
  if (stopped) return
  if (timer) closes.push(`${code} ${reason}`)
  setTimeout(() => void stay(), 50 + Math.random() * 200)
}

const never = (failure = 'closed'): Seen => ({ backend: undefined, failure, opened: false })

const all = new Set<WebSocket>()

function open(): WebSocket {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { perMessageDeflate: false })
  all.add(socket)
  return socket
}

/** @returns why there was no WebSocket, or the code and reason of its end */
function ended(socket: WebSocket): Promise<[string | undefined, number, string]> {
  let failure: string | undefined
  socket.on('unexpected-response', (_request, { statusCode }: IncomingMessage) => {
    failure = `${statusCode}`
    socket.terminate()
  })
  socket.on('error', (error) => (failure ??= error.message))
  return new Promise((resolve) => {
    socket.on('close', (code, reason) => {
      all.delete(socket)
      resolve([failure, code, String(reason)])
    })
  })
}

function allStay(count: number): Promise<void> {
  return until(() => staying === count, `${count} WebSockets to be open`, PATIENCE)
}

/** Waits for what has begun, and tells what was seen since the last time. Nobody stops meanwhile. */
async function lap(): Promise<Lap> {
  const horizon = Date.now()
  await until(() => [...underWay].every(({ at }) => at > horizon), 'what had begun to end', PATIENCE)
  const result = { sights, closes, stall: stalls.longest }
  sights = []
  closes = []
  return result
}

async function stop(): Promise<void> {
  stopped = true
  clearInterval(timer)
  for (const socket of all) socket.close(1000)
  await until(() => underWay.size === 0 && all.size === 0, 'everybody to leave', PATIENCE)
}

const verbs = { begin, lap, allStay, stop }

export type Traffic = typeof verbs

serve(verbs)
