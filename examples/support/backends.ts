import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

export interface ExampleBackend {
  readonly id: string
  readonly url: string
}

/**
 * Servers for an example to balance: they say their name over HTTP and over a WebSocket, where they also echo.
 * With `BACKENDS='http://10.0.0.1:3000 http://10.0.0.2:3000'` in the environment it is those instead.
 */
export async function startBackends(...ids: string[]): Promise<ExampleBackend[]> {
  const urls = process.env.BACKENDS?.split(' ').filter(Boolean)
  if (urls) return urls.map((url, i) => ({ id: ids[i] ?? url, url }))
  return Promise.all(ids.map((id) => startBackend(id)))
}

/** @param answer what it answers to a request. @default its name, and the headers that examples add for it */
export async function startBackend(
  id: string,
  answer: RequestListener = introduce(id),
): Promise<ExampleBackend> {
  const server = createServer(answer)
  new WebSocketServer({ server }).on('connection', (client, request) => {
    client.on('error', () => client.terminate())
    client.on('message', (data) => client.send(`${id}: ${(data as Buffer).toString()}`))
    client.send(`hello from ${greeting(id, request.headers)}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { id, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function introduce(id: string): RequestListener {
  return (request, response) => response.end(`hello from ${greeting(id, request.headers)}\n`)
}

function greeting(id: string, headers: NodeJS.Dict<string | string[]>): string {
  const user = headers['x-user']
  return user === undefined ? id : `${id}, ${String(user)}`
}
