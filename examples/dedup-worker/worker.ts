import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRelay } from 'wslb/relay'
import { nodeName, serveNode, tell } from '../support/serve-node.ts'

/** Milliseconds after which a claim without a result is void: longer than the work takes. */
const CLAIM = 2_000

const relay = createRelay({
  redis: { sentinels: JSON.parse(process.env.SENTINELS!) as { host: string; port: number }[] },
  nodeId: nodeName,
  lease: { ms: 800 },
})

let spared = false
process.on('message', () => (spared = true))

const done = new Set<string>()
relay.subscribe('done', ({ data }) => void done.add((data as { job: string }).job), { from: 'start' })
relay.subscribe('jobs', ({ data }) => void handle((data as { job: string }).job, 1).catch(() => {}), {
  from: 'start',
})

/** Every worker hears of every job; whose claim is the first one does it. */
async function handle(job: string, attempt: number): Promise<void> {
  if (done.has(job)) return
  // Resolves when a replica has the claim. Every other claim with this id is a duplicate, on the next master too.
  const { duplicate } = await relay.publish('claims', { job, worker: nodeName }, { id: `${job}#${attempt}` })
  if (!duplicate) {
    await work(job)
    await relay.publish('done', { job, worker: nodeName }, { id: job })
  } else {
    // Somebody else's, as a rule. If that one dies, the job is claimed anew.
    await sleep(CLAIM)
    await handle(job, attempt + 1)
  }
}

async function work(job: string): Promise<void> {
  // For the show: one worker dies with the claim in its hands.
  if (process.env.DIES_WITH === job && !spared) process.kill(process.pid, 'SIGKILL')
  await sleep(5)
  tell({ worked: job })
}

await relay.ready()
await serveNode(createServer(), () => relay.close())
setInterval(() => tell({ status: relay.status() }), 50)
