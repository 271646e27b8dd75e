// How do I check a JWT before a WebSocket reaches a backend, and tell the backend who it is?
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createBalancer, type IncomingRequest } from 'wslb'
import { startBackends } from './support/backends.ts'

const SECRET = process.env.JWT_SECRET ?? 'an example: use 32 random bytes'

const sign = (signed: string) => createHmac('sha256', SECRET).update(signed).digest()
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** HS256 and nothing else (RFC 7515 §5.2): the token has no say in the algorithm. For keys from a URL, take `jose`. */
function verify(token: string): { sub: string } | undefined {
  const [header, payload, signature, ...rest] = token.split('.')
  if (!header || !payload || !signature || rest.length > 0) return undefined
  const expected = sign(`${header}.${payload}`)
  const given = Buffer.from(signature, 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub?: unknown; exp?: unknown }
  if (typeof claims.sub !== 'string' || typeof claims.exp !== 'number') return undefined
  return claims.exp * 1_000 > Date.now() ? { sub: claims.sub } : undefined
}

function authenticate(request: IncomingRequest) {
  // Browsers cannot add headers to a WebSocket: they send the token in the query.
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization as string)?.[1]
  const claims = verify(bearer ?? request.query.get('token') ?? '')
  if (!claims)
    return { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: 'a valid token is needed\n' }
  request.context.user = claims.sub
  request.toBackend.set('x-user', claims.sub) // and drops one that the client sent itself
}

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends: await startBackends('red', 'blue'),
  hooks: { onRequest: authenticate, onUpgrade: authenticate },
})
balancer.on('tunnel:open', ({ request, backend }) =>
  console.log(`${String(request.context.user)} is on ${backend}`),
)

const [address] = await balancer.listen()
const unsigned = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: 'ada', exp: Date.now() / 1_000 + 3_600 })}`
console.log(`ready http://127.0.0.1:${address!.port}`)
console.log(`A token for an hour: ${unsigned}.${sign(unsigned).toString('base64url')}`)
console.log(`Try: curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:${address!.port}`)
