import { request as httpRequest } from 'node:http'
import { type Probe } from './probe.ts'

export interface HttpProbeOptions {
  readonly method: string
  readonly path: string
  /** Sent as they are; `host` defaults to the backend's. */
  readonly headers: Readonly<Record<string, string>>
  /** Which statuses are well. */
  readonly expect: (status: number) => boolean
}

/** Asks over HTTP on a connection of its own, so that it finds out what a new client would. */
export function httpProbe({ method, path, headers, expect }: HttpProbeOptions): Probe {
  return async (backend, { signal, dial }) => {
    const socket = await dial()
    await new Promise<void>((resolve, reject) => {
      const outgoing = httpRequest({
        createConnection: () => socket,
        method,
        path,
        headers: { host: backend.url.host, 'user-agent': 'wslb health probe', ...headers },
        signal,
      })
      outgoing.on('error', reject)
      outgoing.on('upgrade', () => reject(new Error('answered 101')))
      outgoing.on('response', (response) => {
        const { statusCode = 0 } = response
        if (expect(statusCode)) resolve()
        else reject(new Error(`${method} ${path} answered ${statusCode} (see health.path and health.expect)`))
      })
      outgoing.end()
    }).finally(() => socket.destroy())
  }
}
