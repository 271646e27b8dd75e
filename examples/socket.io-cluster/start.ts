// How do three Socket.IO servers behind wslb become one, for polling too, and how is one of them restarted?
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server } from 'socket.io'
import { createBalancer } from 'wslb'
import { createRelay } from 'wslb/relay'
import { createAdapter } from 'wslb/relay/socket.io'
import { NodeProcess } from '../support/node-process.ts'
import { RedisServer } from '../support/redis-server.ts'
import { runProgram } from '../support/run-program.ts'
import { Guest } from './guest.ts'

const NODE = new URL('node.ts', import.meta.url)
const NAMES = ['node-1', 'node-2', 'node-3']

await runProgram(async ({ stopped, teardown }) => {
  const redis = await RedisServer.start()
  teardown(() => redis.stop())
  const nodes = new Map<string, NodeProcess>()
  teardown(() => Promise.all([...nodes.values()].map((node) => node.stop())))
  const start = async (name: string, port = '0') => {
    nodes.set(name, await NodeProcess.start(name, NODE, { PORT: port, REDIS: redis.url }))
  }
  await Promise.all(NAMES.map((name) => start(name)))

  const balancer = createBalancer({
    listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
    backends: [...nodes.values()].map(({ name, url }) => ({ id: name, url })),
    // Requests of one polling client have to meet one server, and so has its upgrade.
    sticky: 'socket.io',
    balance: 'round-robin',
    health: { interval: '500ms', timeout: '400ms', debounce: '0s' },
  })
  teardown(() => balancer.close())
  const [address] = await balancer.listen()
  const url = `http://127.0.0.1:${address!.port}`

  // Whoever has the relay can speak to all clients: this process has none of its own.
  const relay = createRelay({ redis: { url: redis.url } })
  teardown(() => relay.close())
  const io = new Server({ adapter: createAdapter(relay) })
  let news = 0
  const timer = setInterval(() => io.emit('news', ++news), 50)
  teardown(() => clearInterval(timer))

  const guests = [['polling'], ['polling', 'websocket'], ['websocket']].flatMap((transports) =>
    NAMES.map(() => new Guest(url, transports)),
  )
  teardown(() => guests.forEach(({ socket }) => socket.disconnect()))
  const everybodyIsIn = async () => {
    while (guests.some(({ node }) => node === undefined)) await sleep(10)
  }
  await everybodyIsIn()
  for (const name of NAMES) {
    console.log(`${name} has ${guests.filter(({ node }) => node === name).length} of ${guests.length} guests`)
  }
  guests[0]!.socket.emit('say', 'hello')
  while (guests.some(({ heard }) => heard.length === 0)) await sleep(10)
  console.log(`a guest at ${guests[0]!.node} said hello, and all ${guests.length} heard it`)

  const restart = async (name: string) => {
    const node = nodes.get(name)
    if (!node) return
    const moved = guests.filter((guest) => guest.node === name)
    const before = moved.map(({ recovered }) => recovered)
    await node.stop()
    await everybodyIsIn()
    const recovered = moved.filter((guest, i) => guest.recovered > before[i]!).length
    const missed = news
    await start(name, new URL(node.url).port)
    while (news < missed + 2) await sleep(10)
    const sum = (of: (guest: Guest) => number) => guests.reduce((total, guest) => total + of(guest), 0)
    console.log(
      `${name} was restarted: ${recovered} of its ${moved.length} guests went on at others; ` +
        `news so far: ${news}, lost ${sum(({ lost }) => lost)}, doubled ${sum(({ doubled }) => doubled)}`,
    )
  }
  console.log(`ready ${url}`)
  console.log('Type the number of a node to restart it.')
  createInterface(process.stdin).on('line', (line) => void restart(`node-${line.trim()}`))
  await stopped
})
