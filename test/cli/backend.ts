import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { once } from 'node:events'

export interface TestBackend extends AsyncDisposable {
  readonly id: string
  readonly url: string
}

/** A server that answers every request with its id. */
export async function backend(id: string): Promise<TestBackend> {
  const server = createServer((_request, response) => response.end(id)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    id,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** Who answers, without a cookie. */
export async function ask(url: string, path = '/'): Promise<string> {
  const response = await fetch(url + path, { headers: { connection: 'close' } })
  return response.text()
}
