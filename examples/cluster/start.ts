// How do I use all cores, keep each client on its worker, and lose nobody when a worker dies?
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientIp, createBalancer, hashBy } from 'wslb'
import { NodeProcess } from '../support/node-process.ts'
import { runProgram } from '../support/run-program.ts'
import { Visitor } from './visitor.ts'

const WORKER = new URL('worker.ts', import.meta.url)
const VISITORS = 12

await runProgram(async ({ stopped, teardown }) => {
  const names = Array.from({ length: Number(process.env.WORKERS ?? 4) }, (_, i) => `worker-${i + 1}`)
  const workers = new Map<string, NodeProcess>()
  const visitors: Visitor[] = []
  let ending = false
  teardown(() => {
    ending = true
    return Promise.all([...workers.values()].map((worker) => worker.stop()))
  })

  // A worker that ends is started again on its old port, so the balancer knows it by its id and its url.
  const start = async (name: string, port = '0'): Promise<NodeProcess> => {
    const worker = await NodeProcess.start(name, WORKER, { PORT: port })
    workers.set(name, worker)
    console.log(`${name} is process ${worker.pid}`)
    void worker.ended.then((reason) => (ending ? undefined : restart(worker, reason)))
    return worker
  }
  const restart = async ({ name, url }: NodeProcess, reason: string) => {
    const endedAt = performance.now()
    const before = visitors.map(({ worker, cuts }) => ({ worker, cuts }))
    console.log(`${name} ended: ${reason}`)
    await start(name, new URL(url).port)
    while (visitors.some(({ isOpen }) => !isOpen)) await sleep(10)
    const cut = visitors.filter(({ cuts }, i) => cuts > before[i]!.cuts)
    const home = cut.filter(({ worker }) => worker === name)
    const after = Math.round(performance.now() - endedAt)
    console.log(`${cut.length} visitors were cut off; ${home.length} are back at ${name} after ${after} ms`)
  }

  await Promise.all(names.map((name) => start(name)))
  const balancer = createBalancer({
    listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
    backends: [...workers.values()].map(({ name, url }) => ({ id: name, url })),
    // By cookie, or as `sticky-session` did, by the address of the client; also behind another proxy.
    sticky: process.env.STICKY === 'ip' ? hashBy(clientIp()) : 'cookie',
    trustProxy: ['127.0.0.1'],
    // Whoever belongs to a worker that is down is held until it is back, instead of being given to another.
    onLost: { down: { wait: '10s' } },
    health: { interval: '500ms', timeout: '400ms', debounce: '1s' },
  })
  teardown(() => balancer.close())
  const [address] = await balancer.listen()
  const url = `http://127.0.0.1:${address!.port}`

  for (let i = 1; i <= VISITORS; i++) visitors.push(new Visitor(url, `visitor-${i}`, `10.0.0.${i}`))
  teardown(() => visitors.forEach((visitor) => visitor.leave()))
  await Promise.all(visitors.map((visitor) => visitor.enter()))
  for (const name of names) {
    console.log(
      `${name} has ${visitors.filter(({ worker }) => worker === name).length} of ${VISITORS} visitors`,
    )
  }
  console.log(`ready ${url}`)
  console.log('Type the number of a worker to kill it, or kill its process in another terminal.')
  createInterface(process.stdin).on('line', (line) => workers.get(`worker-${line.trim()}`)?.kill())
  await stopped
})
