// How do I let only pages of my own sites open WebSockets? An Origin allow-list (RFC 6455 §10.2).
import { createBalancer } from 'wslb'
import { startBackends } from './support/backends.ts'

const ALLOWED = new Set(['https://example.com', 'https://app.example.com'])

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends: await startBackends('red', 'blue'),
  hooks: {
    onUpgrade({ headers: { origin } }) {
      // Browsers always send it, and it is they who add the user's cookies for a page of somebody else.
      // What sends none is no browser: it has no cookies to abuse, and could write here whatever it likes.
      if (typeof origin === 'string' && !ALLOWED.has(origin))
        return { status: 403, body: 'origin not allowed\n' }
    },
  },
})

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)
console.log(
  'A WebSocket with Origin: https://example.com is let through, with https://evil.example it gets 403.',
)
