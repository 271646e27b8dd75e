// How much traffic does it save to send a message to the node of its client only, instead of to all nodes?
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { createBalancer } from 'wslb'
import { createRelay } from 'wslb/relay'
import { NodeProcess } from '../support/node-process.ts'
import { RedisServer } from '../support/redis-server.ts'
import { runProgram } from '../support/run-program.ts'
import { Meter } from './meter.ts'
import { table } from './table.ts'

const NODE = new URL('node.ts', import.meta.url)
const NODES = ['node-1', 'node-2', 'node-3', 'node-4']
const CLIENTS = 200
const MESSAGES = 2_000
const MARK = 'a letter to '
const TEXT = 'x'.repeat(200)

/** One of the clients, on the node that the balancer has chosen. */
interface Client {
  readonly id: string
  readonly node: string
  readonly socket: WebSocket
  heard: number
}

await runProgram(async ({ teardown }) => {
  const redis = await RedisServer.start()
  teardown(() => redis.stop())
  const meters = await Promise.all(NODES.map(() => Meter.start(redis.port, MARK)))
  teardown(() => meters.forEach((meter) => meter.close()))
  const nodes = await Promise.all(
    NODES.map((name, i) => NodeProcess.start(name, NODE, { REDIS_URL: meters[i]!.url })),
  )
  teardown(() => Promise.all(nodes.map((node) => node.stop())))

  const balancer = createBalancer({
    listen: { port: 0, host: '127.0.0.1' },
    backends: nodes.map(({ name, url }) => ({ id: name, url })),
  })
  teardown(() => balancer.close())
  const [address] = await balancer.listen()
  const url = `http://127.0.0.1:${address!.port}`
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => enter(url, `client-${i + 1}`)))
  teardown(() => clients.forEach(({ socket }) => socket.terminate()))

  // The sender: any process of the application.
  const relay = createRelay({ redis: { url: redis.url } })
  teardown(() => relay.close())
  await relay.ready()
  const one = clients[0]!
  while ((await relay.locate(one.id)) === null) await sleep(10)
  console.log(`${one.id} is on ${one.node}; Redis says: ${(await relay.locate(one.id))!.nodeId}`)

  const letters = Array.from({ length: MESSAGES }, (_, i) => clients[(i * 7) % CLIENTS]!.id)
  const measure = async (send: (to: string) => Promise<unknown>) => {
    for (const client of clients) client.heard = 0
    for (const meter of meters) meter.reset()
    await Promise.all(letters.map(send))
    const heard = () => clients.reduce((sum, client) => sum + client.heard, 0)
    for (let patience = 500; heard() < MESSAGES && patience > 0; patience--) await sleep(10)
    return { heard: heard(), nodes: meters.map(({ messages, bytes }) => ({ messages, bytes })) }
  }
  const letter = (to: string) => ({ to, text: `${MARK}${to}: ${TEXT}` })
  const broadcast = await measure((to) => relay.publish('everyone', letter(to)))
  const targeted = await measure((to) => relay.sendTo(to, letter(to)))

  console.log(`${MESSAGES} messages, each to one of ${CLIENTS} clients on ${NODES.length} nodes\n`)
  console.log(table(NODES, broadcast.nodes, targeted.nodes))
  console.log(`\nheard by their clients: ${broadcast.heard} and ${targeted.heard}`)
  return broadcast.heard === MESSAGES && targeted.heard === MESSAGES ? 0 : 1
})

/** Settles when a node has greeted it. */
function enter(url: string, id: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/?client=${id}`)
    let client: Client | undefined
    socket.on('error', reject)
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { node?: string; data?: unknown }
      if (frame.node) resolve((client = { id, node: frame.node, socket, heard: 0 }))
      else if (frame.data && client) client.heard++
    })
  })
}
