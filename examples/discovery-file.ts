// How do I take backends from a file that something else writes? Edit it while this runs.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBalancer, file } from 'wslb'
import { startBackends } from './support/backends.ts'

const backends = await startBackends('red', 'green')
const path = join(mkdtempSync(join(tmpdir(), 'wslb-example-')), 'backends.yaml')
writeFileSync(path, backends.map(({ id, url }) => `- id: ${id}\n  url: ${url}\n`).join(''))

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends: file(path),
  discovery: { removeAfter: '1s' },
  drain: { over: '5s' },
})
balancer.on('discovery:update', ({ added, removed, changed }) =>
  console.log(`backends: ${JSON.stringify({ added, removed, changed })}`),
)
balancer.on('discovery:failed', ({ error }) => console.log(`the backends stay as they are: ${error.message}`))

const [address] = await balancer.listen()
console.log(`backends in ${path}`)
console.log(`ready http://127.0.0.1:${address!.port}`)
