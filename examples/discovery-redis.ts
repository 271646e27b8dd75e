// How do my backends register themselves? Each says in Redis that it is there; the balancer listens.
// Needs a Redis: REDIS_URL=redis://127.0.0.1:6379
import { createBalancer, redis } from 'wslb'
import { registerBackend } from 'wslb/register'
import { startBackend } from './support/backends.ts'

const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
const key = 'example:backends'

// In each of your applications, once it listens.
const registrations = await Promise.all(
  ['red', 'green'].map(async (id) => {
    const backend = await startBackend(id)
    return registerBackend({ redis: url, key, id, url: backend.url })
  }),
)

// In the balancer.
const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends: redis({ url, key }),
  discovery: { removeAfter: '2s' },
})
balancer.on('discovery:update', ({ added, removed }) =>
  console.log(`backends: ${JSON.stringify({ added, removed })}`),
)

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)

process.once('SIGTERM', () => {
  // In the application: first out of the list, then the end.
  const unregistered = registrations.map((registration) => registration.unregister())
  void Promise.all([...unregistered, balancer.close()]).then(() => {
    console.log('unregistered')
    process.exit()
  })
})
