import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Agent } from 'undici'
import { ROOT } from '../support/tree.ts'
import { ChatClient } from './chat-client.ts'
import { get } from './clients.ts'
import { runUntilReady } from './run-example.ts'

const root = fileURLToPath(ROOT)
const CONFIG = readFileSync(join(root, 'lb.config.ts'), 'utf8')
  .replace("'./examples/", `'${root}examples/`)
  .replace('port: 8443', "port: 0, host: '127.0.0.1'")
const NAMES = "['red', 'green', 'blue']"
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
t.teardown(() => dispatcher.close())

/** The repository's own config, copied, as `wslb start` serves it. */
async function startDemo(t: Test) {
  const dir = t.testdir({ 'lb.config.ts': CONFIG })
  const { url, line } = await runUntilReady(t, [join(root, 'dist/bin/wslb.js'), 'start'], dir)
  const write = (config: string) => writeFileSync(join(dir, 'lb.config.ts'), config)
  const edit = (names: string) => write(CONFIG.replace(NAMES, names))
  return { url, write, edit, line }
}

/** Clients until each of these backends has one. */
async function oneOnEach(url: string, ...names: string[]): Promise<Map<string, ChatClient>> {
  const clients = new Map<string, ChatClient>()
  for (let i = 0; clients.size < names.length; i++) {
    if (i > 200) throw new Error(`only ${[...clients.keys()].join()} got clients`)
    const client = await ChatClient.enter(url)
    if (!names.includes(client.backend) || clients.has(client.backend)) client.leave()
    else clients.set(client.backend, client)
  }
  return clients
}

t.ok(CONFIG.includes(NAMES), 'lb.config.ts has the list that this test and the page speak of')

t.test('the page, and a chat across all backends over wss', async (t) => {
  const { url } = await startDemo(t)
  t.match(url, /^https:/)
  const page = await get(url, {}, { dispatcher })
  t.match(page.body, '<title>wslb demo</title>')
  t.ok(page.cookie)

  const clients = await oneOnEach(url, 'red', 'green', 'blue')
  for (const [name, client] of clients) {
    client.say(`hello from ${name}`)
    for (const other of clients.values()) t.equal((await other.hears(`hello from ${name}`)).backend, name)
    const again = await ChatClient.enter(url, { headers: { cookie: client.cookie! } })
    t.equal(again.backend, name, 'the cookie leads back')
    again.leave()
  }
  for (const client of clients.values()) client.leave()
})

t.test('a restart of wslb keeps every client with its backend', async (t) => {
  const before = await startDemo(t)
  const clients = await oneOnEach(before.url, 'red', 'green', 'blue')
  const after = await startDemo(t)
  for (const [name, client] of clients) {
    const again = await ChatClient.enter(after.url, { headers: { cookie: client.cookie! } })
    t.equal(again.backend, name)
    again.leave()
    client.leave()
  }
})

t.test('a fourth backend, one taken out, a broken save: no other client notices', async (t) => {
  const { url, edit, line } = await startDemo(t)
  const clients = await oneOnEach(url, 'red', 'green', 'blue')
  const [red, blue] = [clients.get('red')!, clients.get('blue')!]

  edit("['red', 'green', 'blue', 'yellow']")
  await red.sees((backends) => backends.some(({ name }) => name === 'yellow'))
  const yellow = (await oneOnEach(url, 'yellow')).get('yellow')!
  yellow.say('new here')
  for (const client of clients.values()) await client.hears('new here')

  edit("['green', 'blue', 'yellow'")
  t.match(await line(/lb\.config\.ts:\d+/), /Expected/, 'the log says where the config is broken')
  edit("['green', 'blue', 'yellow']")
  t.equal(await red.closed(), 1012)
  t.ok(await line(/tunnel:close.*"backend":"red".*"closedBy":"balancer","cause":"reload"/), 'drained by wslb')
  const moved = await ChatClient.enter(url, { headers: { cookie: red.cookie! } })
  t.not(moved.backend, 'red')
  t.ok(moved.cookie, 'with a new cookie')
  moved.say('I was red')
  for (const client of [clients.get('green')!, blue, yellow]) {
    await client.hears('I was red')
    t.equal(client.closeCode, undefined, `${client.backend} kept its client`)
    client.leave()
  }
  moved.leave()
})

t.test('a config that is refused gives back the backend that it started', async (t) => {
  const { url, write, line } = await startDemo(t)
  const client = await ChatClient.enter(url)
  write(CONFIG.replace(NAMES, "['red', 'green', 'blue', 'yellow']").replace('sticky:', 'stickie:'))
  t.match(await line(/stickie/), /did you mean/)
  const withYellow = await client.sees((backends) => backends.length === 4)
  const after = client.events.indexOf(withYellow)
  await client.until((event) => client.events.indexOf(event) > after && event.backends?.length === 3)
  t.equal(client.closeCode, undefined, 'and nobody noticed')
  client.leave()
})

t.test('a backend that stops: its client finds another, and comes back with it', async (t) => {
  const { url } = await startDemo(t)
  const client = await ChatClient.enter(url)
  const headers = { cookie: client.cookie! }
  const answer = await get(`${url}/stop?seconds=2`, headers, { method: 'POST', dispatcher })
  t.match(
    JSON.parse(answer.body),
    { stopped: client.backend },
    'the cookie takes the request to the same backend',
  )
  await client.closed()

  const moved = await ChatClient.enter(url, { headers })
  t.not(moved.backend, client.backend)
  t.ok(moved.cookie, 'with a new cookie')
  await moved.sees((backends) => backends.every(({ stopped }) => !stopped))
  const back = await ChatClient.enter(url, { headers })
  t.equal(back.backend, client.backend)
  for (const other of [moved, back]) other.leave()
})
