import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import { type Scope } from './balancer.ts'
import { httpBackend } from './backends.ts'

/** Servers that say their names, to requests and in the first message of a WebSocket. */
export async function namedBackends(t: Scope, ...ids: string[]): Promise<{ id: string; url: string }[]> {
  return Promise.all(
    ids.map(async (id) => {
      const { server, url } = await httpBackend(t, (_request, response) => response.end(id))
      new WebSocketServer({ server }).on('connection', (socket) => socket.send(id))
      return { id, url }
    }),
  )
}

/** Who answers an upgrade, or the status of the refusal; the tunnel is closed again. */
export async function greetingOf(
  url: string,
  headers: Record<string, string> = {},
): Promise<string | number> {
  const client = new WebSocket(url.replace(/^http/, 'ws'), { headers })
  const refused = once(client, 'unexpected-response') as Promise<[unknown, { statusCode: number }]>
  const [, answer] = await Promise.race([
    refused,
    once(client, 'message').then(([data]) => [undefined, String(data)] as const),
  ])
  client.on('error', () => {})
  client.terminate()
  return typeof answer === 'string' ? answer : answer.statusCode
}
