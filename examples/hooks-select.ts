// How do I decide case by case who gets a client? hooks.select: a tenant is pinned, a tester gets the canary.
import { createBalancer, type SelectHook } from 'wslb'
import { startBackends } from './support/backends.ts'

const tenants = new Map([
  ['acme', 'blue'],
  ['globex', 'green'],
])

const select: SelectHook = ({ headers }, candidates) => {
  if (headers['x-canary'] === '1') return candidates.find(({ id }) => id === 'canary')
  // An id that is no candidate is refused, so a tenant is never served elsewhere. Nobody's: stickiness and policy decide.
  return tenants.get(String(headers['x-tenant']))
}

const backends = await startBackends('blue', 'green', 'canary')
const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  // Weight 0: nobody gets the canary but by the hook.
  backends: backends.map((backend) => ({ ...backend, weight: backend.id === 'canary' ? 0 : 1 })),
  hooks: { select },
})

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)
console.log(`Try: curl -H 'X-Tenant: acme' http://127.0.0.1:${address!.port}, and with -H 'X-Canary: 1'`)
