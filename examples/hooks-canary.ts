// How do I send testers to a new version, and nobody else? A hook marks the request, a policy heeds the mark.
import { createBalancer, type IncomingRequest, type Policy, stickyCookie, type StickyStrategy } from 'wslb'
import { startBackends } from './support/backends.ts'

function mark(request: IncomingRequest): void {
  request.context.canary = request.headers['x-canary'] === '1'
}

/** Whether the backend runs the version this client should see. */
function suits(backend: { id: string }, { context }: IncomingRequest): boolean {
  return backend.id.startsWith('canary') === context.canary
}

const byVersion: Policy = {
  name: 'by-version',
  pick(candidates, request, random) {
    const suitable = candidates.filter((backend) => suits(backend, request))
    const from = suitable.length > 0 ? suitable : candidates // the other version is better than none
    return from[Math.floor(random() * from.length)]!
  },
}

// A cookie from the time before somebody became a tester must not hold them on the old version, nor the reverse.
const cookie = stickyCookie()
const stickyPerVersion: StickyStrategy = {
  ...cookie,
  find(request, backends, memory) {
    const backend = cookie.find(request, backends, memory)
    return backend && suits(backend, request) ? backend : undefined
  },
}

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends: await startBackends('stable-1', 'stable-2', 'canary-1'),
  hooks: { onRequest: mark, onUpgrade: mark },
  balance: byVersion,
  sticky: stickyPerVersion,
})

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)
console.log(`Try: curl -H 'X-Canary: 1' http://127.0.0.1:${address!.port}, and without the header`)
