import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { askRunning } from '../../lib/admin/ask-running.ts'
import { type Status } from '../../lib/admin/verbs.ts'
import { ask } from '../support/clients.ts'
import { type Finished, run, Wslb } from './wslb.ts'

/** A `wslb start` with WebSocket backends behind it, and a shell beside it. */
export interface Running {
  readonly cwd: string
  readonly wslb: Wslb
  /** Writes a config file with these backends, round-robin. */
  readonly write: (name: string, ids: readonly string[], more?: object) => void
  /** Open WebSockets, one backend after the other in turn; each of another client, if the config trusts proxies. */
  readonly connect: (count: number) => Promise<WebSocket[]>
  /** `wslb …` in the same directory, to its end. */
  readonly run: (...args: string[]) => Promise<Finished>
  /** What `status` would say, without the cost of a process. */
  readonly status: () => Promise<Status>
  /** The same as `run`, while it runs. */
  readonly begin: (...args: string[]) => Wslb
}

/** @param ids backends that the config has in the beginning */
export async function running(t: Test, ids: readonly string[], more: object = {}): Promise<Running> {
  const urls = new Map<string, string>()
  for (const id of ['blue', 'green', 'red']) urls.set(id, await echoing(t, id))
  const cwd = t.testdir({})
  const write: Running['write'] = (name, ids, more = {}) => {
    const backends = ids.map((id) => ({ id, url: urls.get(id)! }))
    const config = { backends, balance: 'round-robin', sticky: false, health: false, ...more }
    writeFileSync(join(cwd, name), `${JSON.stringify(config, null, 2)}\n`)
  }
  write('lb.config.json', ids, more)
  const wslb = new Wslb(['start', '--port', '0', '--host', '127.0.0.1', '--no-watch'], { cwd })
  t.teardown(() => wslb.end())
  const address = await wslb.ready()
  // Round-robin begins anywhere: now the next turn is that of the first one.
  if (ids.length > 1) while ((await ask(address)).body !== ids.at(-1));
  const url = address.replace('http', 'ws')
  return {
    cwd,
    wslb,
    write,
    async connect(count) {
      const clients: WebSocket[] = []
      // One by one, so that the turns are theirs.
      for (let index = 0; index < count; index++) {
        const headers = { 'x-forwarded-for': `10.0.0.${index}` }
        const client = new WebSocket(url, { headers })
        t.teardown(() => client.terminate())
        await once(client, 'open')
        clients.push(client)
      }
      return clients
    },
    run: (...args) => run(args, { cwd }),
    status: () => statusOf(join(cwd, 'lb.config.json')),
    begin(...args) {
      const command = new Wslb(args, { cwd })
      t.teardown(() => command.end())
      return command
    },
  }
}

/** Of the process that serves a config. */
export async function statusOf(config: string): Promise<Status> {
  return (await askRunning(config, 'status', { input: { tunnels: true } })) as Status
}

/** A WebSocket server that says every message back, and its name to who asks. */
async function echoing(t: Test, name: string): Promise<string> {
  const server = createServer((_request, response) => response.end(name)).listen(0, '127.0.0.1')
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data as Buffer)))
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function echo(client: WebSocket, text: string): Promise<string> {
  client.send(text)
  const [data] = (await once(client, 'message')) as [Buffer]
  return data.toString()
}

export function lines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
