import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Scope } from './balancer.ts'
import { ROOT } from './tree.ts'

const PROGRAM = `
  import { createServer } from 'node:http'
  import { WebSocketServer } from 'ws'
  const server = createServer((_request, response) => response.end('ok'))
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

export interface ChildBackend {
  readonly url: string
  /** It stops where it stands: its connections stay open, and nothing answers. */
  hang(): void
  goOn(): void
  /** `kill -9`. */
  die(): void
}

/** A WebSocket server that says everything back, in a process of its own. */
export async function childBackend(t: Scope): Promise<ChildBackend> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string]
  return {
    url: `http://127.0.0.1:${port}`,
    hang: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
    die: () => void child.kill('SIGKILL'),
  }
}
