import { createSecureContext } from 'node:tls'
import { type BackendTls } from '../core/backend.ts'
import { BACKEND_ID, isBackendId } from '../core/backend-id.ts'
import { messageOf } from '../core/errors.ts'
import { type BackendSpec } from '../pool/membership.ts'
import { healthOverride } from './health-rule.ts'
import { depends, isObject, judged, list, mismatch, object, type Rule, show, value, Wrong } from './rule.ts'
import { boolean, limit, text } from './values.ts'

const pem: Rule<string> = value('PEM text', (given) =>
  typeof given === 'string' && given.includes('-----BEGIN') ? given : undefined,
)

const tls: Rule<BackendTls> = object('an object with ca, cert, key, servername, rejectUnauthorized', {
  ca: depends<string | string[]>((given) => (Array.isArray(given) ? list('', pem) : pem)).optional(),
  cert: pem.optional(),
  key: pem.optional(),
  servername: text.optional(),
  rejectUnauthorized: boolean.optional(),
}).superRefine(({ ca, cert, key }, context) => {
  try {
    if ((cert === undefined) !== (key === undefined)) throw new Error('cert and key belong together')
    createSecureContext({ ca, cert, key })
  } catch (error) {
    context.addIssue(messageOf(error))
  }
})

const url: Rule<URL> = judged((given) => {
  const allowed = 'a url like "http://10.0.0.1:3000"'
  if (typeof given !== 'string') return new Wrong(mismatch(given, allowed))
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url?.protocol === 'ws:' || url?.protocol === 'wss:') {
    const written = `http${url.protocol.slice(2)}//${url.host}`
    return new Wrong(`got ${show(given)}; write "${written}", WebSockets use the same url`)
  }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    const schemeMissing = !given.includes('://') && URL.canParse(`http://${given}`)
    return new Wrong(mismatch(given, allowed, schemeMissing ? `, did you mean "http://${given}"?` : ''))
  }
  if (url.username || url.password)
    return new Wrong('has a user name or password, which backends are never sent')
  if (url.pathname !== '/' || url.search || url.hash) {
    return new Wrong(`got ${show(given)}; write "${url.origin}": each request keeps its own path`)
  }
  if (!isBackendId(defaultId(url))) return new Wrong(`got ${show(given)}; its host name is too long`)
  return url.port === '0' ? new Wrong(mismatch(given, `${allowed}, with a port above 0`)) : url
})

/** Sums and quotients of them stay exact enough to balance by. */
const weight: Rule<number> = value('0, or a number from 0.000001 to 1,000,000', (given) =>
  given === 0 || (typeof given === 'number' && given >= 1e-6 && given <= 1e6) ? given : undefined,
)

const id: Rule<string> = value(BACKEND_ID, (given) => (isBackendId(given) ? given : undefined))

const backendObject: Rule<BackendSpec> = object('a url, or an object with a url', {
  url,
  id: id.optional(),
  weight: weight.default(1),
  maxConnections: limit.default(Infinity),
  maxHandshakesPerSecond: limit.default(Infinity),
  backup: boolean.default(false),
  host: text.optional(),
  tls: tls.optional(),
  health: healthOverride.optional(),
}).transform(({ url, id, host, tls, health, ...settings }, context) => {
  if (tls && url.protocol === 'http:') {
    context.addIssue({ code: 'custom', path: ['tls'], message: 'is only for an https:// backend' })
  }
  return { id: id ?? defaultId(url), url, settings: { ...settings, host, tls }, health }
})

const backendUrl: Rule<BackendSpec> = url.transform((url) => ({
  id: defaultId(url),
  url,
  settings: {
    weight: 1,
    maxConnections: Infinity,
    maxHandshakesPerSecond: Infinity,
    backup: false,
    host: undefined,
    tls: undefined,
  },
}))

export const backend: Rule<BackendSpec> = depends((given) => (isObject(given) ? backendObject : backendUrl))

/** host:port, the port always written out so that it stays the same when somebody adds `:80`. */
export function defaultId({ protocol, hostname, port }: URL): string {
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}
