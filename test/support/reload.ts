import { once } from 'node:events'
import { type WebSocket } from 'ws'
import { type Balancer } from '../../lib/balancer.ts'
import { systemClock } from '../../lib/core/clock.ts'
import { type WslbError } from '../../lib/core/errors.ts'
import { type TestBackend, wsBackend } from './backends.ts'
import { type Scope, inTurn } from './balancer.ts'

export const options = { clock: systemClock }
export const LOCAL = { port: 0, host: '127.0.0.1' }
/** What `startBalancer` starts with, so that a reload changes nothing else. */
export const base = {
  listen: LOCAL,
  health: false as const,
  get balance() {
    return inTurn()
  },
  sticky: false as const,
}

/** Answers requests with its name, and says every message back. */
export async function named(t: Scope, name: string): Promise<TestBackend & { id: string }> {
  const backend = await wsBackend(t)
  backend.server.removeAllListeners('request')
  backend.server.on('request', (_request, response) => response.end(name))
  return Object.assign(backend, { id: name })
}

export const spec = ({ id, url }: { id: string; url: string }, more: object = {}) => ({ id, url, ...more })

/** The state of a balancer without what passes by itself: of tunnels, which ones are open. */
export function stateOf(balancer: Balancer): string {
  const { tunnels, ...rest } = balancer.snapshot()
  return JSON.stringify({ ...rest, tunnels: tunnels.map(({ id, backend }) => `${id} on ${backend}`) })
}

export async function said(client: WebSocket, text: string): Promise<string> {
  const answer = once(client, 'message') as Promise<[Buffer]>
  client.send(text)
  return String((await answer)[0])
}

export async function close(client: WebSocket): Promise<void> {
  client.close()
  await once(client, 'close')
}

export async function rejection(promise: Promise<unknown>): Promise<WslbError> {
  return promise.then(
    () => Promise.reject(new Error('it was accepted')),
    (error: WslbError) => error,
  )
}
