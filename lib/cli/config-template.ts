/** What `wslb init` writes: runs as it is, in an empty folder. */
export const CONFIG_TEMPLATE = `import { once } from 'node:events'
import { createServer } from 'node:http'
import { defineConfig } from 'wslb'

// Save this file while \`wslb start\` runs: the change is live at once, open sockets stay open.
export default defineConfig(async () => ({
  // Where clients connect. For https and wss add tls: 'self-signed' (development),
  // or tls: { cert: './cert.pem', key: './key.pem' }.
  listen: { port: 8080 },

  // Your servers. These two are for show: REPLACE THEM WITH YOUR OWN, e.g.
  //   backends: ['http://10.0.0.1:3000', { id: 'blue', url: 'https://10.0.0.2', weight: 2 }],
  backends: await Promise.all([demo('blue'), demo('green')]),

  // Who gets a client that belongs to nobody: 'random', 'round-robin', 'least-connections' or 'p2c'.
  balance: 'random',

  // A cookie brings each client back to its backend; false for none.
  sticky: 'cookie',

  // How backends are probed. One that fails for the time of \`debounce\` is down until a probe succeeds.
  health: { path: '/', interval: '10s', debounce: '10s' },
}))

// Backends for show: replace them with your own, then delete this. Each save runs this file anew; what is kept on
// globalThis lives on, as servers of your own would.
const demos = ((globalThis as { demos?: Record<string, ReturnType<typeof start>> }).demos ??= {})
const demo = (id: string) => (demos[id] ??= start(id))

async function start(id: string) {
  const server = createServer((request, response) => {
    response.end(\`Hello from \${id}: \${request.method} \${request.url}\\n\`)
  })
  await once(server.listen(0, '127.0.0.1').unref(), 'listening')
  return { id, url: \`http://127.0.0.1:\${(server.address() as { port: number }).port}\` }
}
`
