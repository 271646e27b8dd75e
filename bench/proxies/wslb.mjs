import { createBalancer } from 'wslb'
import { backendPort, port } from './child.mjs'

const balancer = createBalancer({
  listen: { port, host: '127.0.0.1' },
  backends: [`http://127.0.0.1:${backendPort}`],
  // Bench clients send no cookie back: with 'cookie' every answer gets a new one.
  hooks: process.argv.includes('messages') ? { onMessage: () => undefined } : {},
  sticky: process.argv.includes('sticky') ? 'cookie' : false,
})
await balancer.listen()
