// How do I ask for an API key, and tell the backend whose it is?
import { createHash } from 'node:crypto'
import { createBalancer, type IncomingRequest } from 'wslb'
import { startBackends } from './support/backends.ts'

// Only hashes are kept. Looking one up takes as long for a near miss as for any other: nothing to measure.
const hash = (key: string) => createHash('sha256').update(key).digest('hex')
const customers = new Map([
  [hash('key-of-ada'), 'ada'],
  [hash('key-of-bob'), 'bob'],
])

function checkKey(request: IncomingRequest) {
  const customer = customers.get(hash(String(request.headers['x-api-key'])))
  if (!customer) return { status: 401, body: 'unknown API key\n' }
  request.context.customer = customer
  // The key stops here. `set` also drops an X-User that the client sent itself.
  request.toBackend.remove('x-api-key').set('x-user', customer)
}

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends: await startBackends('red', 'blue'),
  hooks: { onRequest: checkKey, onUpgrade: checkKey },
})
balancer.on('request:done', ({ request, status }) =>
  console.log(`${String(request.context.customer)}: ${status}`),
)

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)
console.log(`Try: curl -H 'X-API-Key: key-of-ada' http://127.0.0.1:${address!.port}`)
