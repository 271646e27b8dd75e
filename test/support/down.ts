import { once } from 'node:events'
import { type Server } from 'node:http'
import { type WebSocket } from 'ws'
import { type Balancer } from '../../lib/balancer.ts'
import { type Config, type HealthConfig } from '../../lib/config/config.ts'
import { type BalancerEvents } from '../../lib/core/events.ts'
import { wsBackend } from './backends.ts'
import { type Scope } from './balancer.ts'
import { wsClient } from './clients.ts'
import { LOCAL } from './reload.ts'
import { until } from './until.ts'

// What the tests of `health.onDown` share.

/** Down soon; but a busy machine is not taken for a backend that hangs. */
export const HEALTH = { interval: '1s', timeout: '20s', debounce: '1s' } as const

/** A WebSocket server whose HTTP says what the test wants; it counts the Pings that reach it. */
export async function halfWell(t: Scope, { answersPings = true } = {}) {
  const sockets: WebSocket[] = []
  const state = { well: true, pings: 0, sockets }
  const onConnection = (socket: WebSocket) => {
    sockets.push(socket)
    socket.on('message', (data: Buffer) => socket.send(String(data)))
    socket.on('ping', () => state.pings++)
  }
  const { server, url } = await wsBackend(t, onConnection, { autoPong: answersPings })
  const requests: Server = server.removeAllListeners('request')
  requests.on('request', (_request, response) => response.writeHead(state.well ? 200 : 503).end())
  return Object.assign(state, { url })
}

export const config = (url: string, health: HealthConfig = {}): Config => ({
  listen: LOCAL,
  backends: [{ id: 'blue', url }],
  health: { ...HEALTH, ...health },
  websocket: { ping: false },
})

export async function wsClients(t: Scope, url: string, count: number) {
  return Promise.all(Array.from({ length: count }, () => wsClient(t, url)))
}

export interface Closed {
  readonly at: number
  readonly said: string
}

export async function closing(client: WebSocket): Promise<Closed> {
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  return { at: performance.now(), said: `${code} ${String(reason)}` }
}

/** How every tunnel ended. */
export function endings(balancer: Balancer): BalancerEvents['tunnel:close'][] {
  const ended: BalancerEvents['tunnel:close'][] = []
  balancer.on('tunnel:close', (event) => ended.push(event))
  return ended
}

export const isOpen = (client: WebSocket) => client.readyState === client.OPEN

/** Settles once the first backend is seen so. */
export function turns(balancer: Balancer, health: 'up' | 'down'): Promise<void> {
  return until(() => balancer.snapshot().backends[0]!.health === health, `it to be ${health}`)
}
