// How do I write a health probe? Here: a backend is well when its /ready says so, not when it merely answers.
import { createBalancer, type Probe } from 'wslb'
import { startBackend } from './support/backends.ts'

/** Settles when the backend is well, rejects with the reason when not. */
const saysReady: Probe = async (backend, { signal }) => {
  const answer = await fetch(new URL('/ready', backend.url), { signal })
  const { ready, reason } = (await answer.json()) as { ready?: boolean; reason?: string }
  if (!ready) throw new Error(reason ?? 'not ready')
}

// Blue answers from the start, but takes three seconds to fill its caches.
const started = Date.now()
const backends = await Promise.all(
  ['red', 'blue'].map((id) =>
    startBackend(id, (req, res) => {
      const ready = id === 'red' || Date.now() - started > 3_000
      res.end(req.url === '/ready' ? JSON.stringify({ ready, reason: 'warming up' }) : `hello from ${id}\n`)
    }),
  ),
)

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends,
  health: { probe: saysReady, interval: '250ms', debounce: '1s' },
})
balancer.on('backend:suspect', ({ backend, reason }) => console.log(`${backend} is suspect: ${reason}`))
balancer.on('backend:down', ({ backend, reason }) => console.log(`${backend} is down: ${reason}`))
balancer.on('backend:up', ({ backend }) => console.log(`${backend} is up`))

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)
