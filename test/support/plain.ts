import { Backend, type BackendSettings } from '../../lib/core/backend.ts'
import { type Clock } from '../../lib/core/clock.ts'
import { IncomingRequest, type RequestHead } from '../../lib/core/request.ts'

/** A backend that exists on paper only. */
export function plainBackend(id: string, settings: Partial<BackendSettings> = {}, clock?: Clock): Backend {
  const defaults = {
    weight: 1,
    maxConnections: Infinity,
    maxHandshakesPerSecond: Infinity,
    backup: false,
    host: undefined,
    tls: undefined,
  }
  return new Backend(id, 'default', new URL('http://127.0.0.1:1'), { ...defaults, ...settings }, clock)
}

/** A request without a socket. */
export function plainRequest(head: Partial<RequestHead> = {}): IncomingRequest {
  return new IncomingRequest({
    method: 'GET',
    url: '/',
    httpVersion: '1.1',
    host: 'example.test',
    headers: {},
    rawHeaders: [],
    secure: false,
    remoteAddress: '127.0.0.1',
    clientAddress: '127.0.0.1',
    forwarded: { for: '127.0.0.1', proto: 'http', host: 'example.test', trusted: false },
    ...head,
  })
}
