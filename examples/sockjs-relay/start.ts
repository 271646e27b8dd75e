// How do clients of one node reach those of the others, also when Redis is away for a moment?
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBalancer } from 'wslb'
import { NodeProcess } from '../support/node-process.ts'
import { RedisServer } from '../support/redis-server.ts'
import { runProgram } from '../support/run-program.ts'
import { Talker } from './talker.ts'

const NODE = new URL('node.ts', import.meta.url)
const NODES = ['node-1', 'node-2', 'node-3']
const TALKERS = 6
/** Milliseconds between two messages of a talker. */
const PACE = 50

await runProgram(async ({ stopped, teardown }) => {
  const redis = await RedisServer.start()
  teardown(() => redis.stop())
  const nodes = await Promise.all(
    NODES.map((name) => NodeProcess.start(name, NODE, { REDIS_URL: redis.url })),
  )
  teardown(() => Promise.all(nodes.map((node) => node.stop())))

  const balancer = createBalancer({
    listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
    backends: nodes.map(({ name, url }) => ({ id: name, url })),
    balance: 'round-robin',
    sticky: 'sockjs', // all requests of a session come to one node, also without cookies
  })
  teardown(() => balancer.close())
  const [address] = await balancer.listen()
  const url = `http://127.0.0.1:${address!.port}`

  const talkers = await Promise.all(
    Array.from({ length: TALKERS }, (_, i) =>
      Talker.enter(url, `talker-${i + 1}`, i % 2 === 0 ? 'websocket' : 'xhr-polling'),
    ),
  )
  teardown(() => talkers.forEach((talker) => talker.leave()))
  for (const name of NODES) {
    console.log(`${name} has ${talkers.filter(({ node }) => node === name).length} of ${TALKERS} talkers`)
  }
  console.log(`over ${process.env.OVER === 'pub-sub' ? 'plain Redis publish/subscribe' : 'wslb/relay'}`)
  console.log(`ready ${url}`)
  console.log('Press Enter to kill Redis, which comes back empty; q and Enter to quit.')

  const talk = setInterval(() => talkers.forEach((talker) => talker.say()), PACE)
  teardown(() => clearInterval(talk))
  for await (const line of createInterface(process.stdin)) {
    if (line === 'q') return
    await redis.kill()
    console.log('Redis is gone')
    await sleep(500)
    await redis.start('nothing')
    console.log('Redis is back, and empty')
    await sleep(2_000)
    console.log(account(talkers))
  }
  await stopped
})

/** What was said until just now, and what each should have heard of each. */
function account(talkers: readonly Talker[]): string {
  const heard = talkers.flatMap((talker) => [...talker.heard.values()])
  const last = Math.min(...heard.map((numbers) => numbers.at(-1)!))
  const counted = heard.map((numbers) => numbers.filter((number) => number <= last))
  const delivered = counted.reduce((sum, numbers) => sum + new Set(numbers).size, 0)
  const doubled = counted.reduce((sum, numbers) => sum + numbers.length, 0) - delivered
  const due = last * talkers.length ** 2
  return `${due} deliveries were due: ${due - delivered} lost, ${doubled} doubled`
}
