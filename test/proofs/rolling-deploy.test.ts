import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { BIN, Wslb } from '../cli/wslb.ts'
import { textOf } from '../support/clients.ts'
import { httpBackend } from '../support/backends.ts'
import { ROOT } from '../support/tree.ts'
import { Child } from './child.ts'
import { evenness } from './ledger.ts'
import { type SocketIoCrowd } from './socket-io-crowd.ts'
import { type SocketIoServer } from './socket-io-server.ts'
import { LONG_PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const SCRIPT = fileURLToPath(new URL('examples/rolling-deploy.sh', ROOT))
const NAMES = ['blue', 'green', 'red']
const CLIENTS = 300
const OVER = 2_000
/** What a client waits before it comes back, ± 50 %, and what that may take on a busy machine. */
const RECONNECT = 200
const HANDSHAKE = 3_000

t.test(
  `three Socket.IO servers are restarted under ${CLIENTS} clients, and nobody sees an error`,
  { timeout: LONG_PATIENCE },
  async (t) => {
    const servers = await startServers(t)
    const config = {
      backends: NAMES.map((id) => ({ id, url: servers.url(id) })),
      drain: { over: OVER, deadline: OVER + 20_000 },
      health: { interval: '1s' },
    }
    const cwd = t.testdir({
      'lb.config.json': JSON.stringify(config),
      restart: `#!/bin/sh\nexec curl -fsS ${servers.control}/$1\n`,
    })
    chmodSync(join(cwd, 'restart'), 0o755)
    const wslb = new Wslb(['start', '--port', '0', '--host', '127.0.0.1'], { cwd })
    t.teardown(() => wslb.end())
    const crowd = new Child<SocketIoCrowd>(t, 'socket-io-crowd.ts')
    await crowd.ask('open', { url: await wslb.ready(), count: CLIENTS / 2, reconnectionDelay: RECONNECT })

    const deploy = spawn('sh', [SCRIPT, ...NAMES.map((id) => `${id}=${servers.url(id)}`)], {
      cwd,
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        WSLB: `${process.execPath} ${BIN}`,
        RESTART: './restart',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = Promise.all([textOf(deploy.stdout), textOf(deploy.stderr)])
    const [code] = (await once(deploy, 'close')) as [number]
    const text = (await output).join('')
    t.equal(code, 0, text)
    t.same(servers.restarts, ['chat-blue', 'chat-green', 'chat-red'])
    t.match(text, /drained blue[^]*drained green[^]*drained red/)

    await crowd.ask('fallSilent')
    const records = await crowd.ask('records')
    const stall = await crowd.ask('stall')
    await crowd.ask('leave')
    t.same(
      records.flatMap(({ errors }) => errors),
      [],
      'no connect_error, no message without an acknowledgement',
    )
    t.ok(records.every(({ said, acknowledged }) => said > 5 && acknowledged === said))
    const answers = wslb.stderr.matchAll(/^\{.*"status":(\d+).*$/gm)
    t.same(
      [...answers].filter(([, status]) => Number(status) >= 400).map(([line]) => line),
      [],
      'nobody got an error',
    )

    const outages = records.flatMap(({ outages }) => outages)
    t.same(new Set(outages.map(({ reason }) => reason)), new Set(['transport close']))
    for (const id of NAMES) {
      const own = outages.filter(({ server }) => server === id)
      const from = own.map(({ from }) => from)
      t.ok(own.length >= CLIENTS / 6, `${own.length} clients had to leave ${id}`)
      const { even, text } = evenness({ closedAt: from, over: OVER, stall })
      t.ok(even, text)
      const back = Math.max(...own.map(({ to }) => to ?? Infinity)) - Math.min(...from)
      t.ok(
        back < OVER + 1.5 * RECONNECT + HANDSHAKE + stall,
        `all were back ${back} ms after the first of them left`,
      )
    }
  },
)

/** The servers, each in a process of its own, and a url that restarts one as a service manager does. */
async function startServers(t: Test) {
  const children = new Map<string, { child: Child<SocketIoServer>; port: number }>()
  const start = async (name: string, port: number) => {
    const child = new Child<SocketIoServer>(t, 'socket-io-server.ts')
    children.set(name, { child, port: await child.ask('start', { name, port }) })
  }
  await Promise.all(NAMES.map((name) => start(name, 0)))
  const restarts: string[] = []
  const restart = async (unit: string) => {
    const name = unit.replace('chat-', '')
    const { child, port } = children.get(name)!
    restarts.push(unit)
    await child.kill()
    await start(name, port)
  }
  const control = await httpBackend(t, ({ url = '' }, response) => {
    void restart(url.slice(1)).then(() => response.end())
  })
  return {
    control: control.url,
    restarts,
    url: (name: string) => `http://127.0.0.1:${children.get(name)!.port}`,
  }
}
