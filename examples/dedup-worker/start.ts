// How is each job done once, although the Redis master changes under it, and a worker dies?
import { setTimeout as sleep } from 'node:timers/promises'
import { createRelay, type RelayStatus } from 'wslb/relay'
import { NodeProcess } from '../support/node-process.ts'
import { runProgram } from '../support/run-program.ts'
import { SentinelCluster } from '../support/sentinel-cluster.ts'

const WORKER = new URL('worker.ts', import.meta.url)
const WORKERS = ['worker-1', 'worker-2', 'worker-3']
const agreement = new Map<string, string | undefined>()
let told = ''
const JOBS = Array.from({ length: 150 }, (_, i) => `job-${i + 1}`)

await runProgram(async ({ teardown }) => {
  const cluster = await SentinelCluster.start({ downAfter: 1_000 })
  teardown(() => cluster.stop())
  const sentinels = cluster.addresses

  // All of them would die with this job; only the one who has claimed it does.
  const env = { SENTINELS: JSON.stringify(sentinels), DIES_WITH: 'job-20' }
  const workers = await Promise.all(WORKERS.map((name) => NodeProcess.start(name, WORKER, env)))
  teardown(() => Promise.all(workers.map((worker) => worker.stop())))
  const worked: string[] = []
  for (const worker of workers) {
    worker.onTold((told) => {
      const { worked: job, status } = told as { worked?: string; status?: RelayStatus }
      if (job !== undefined) worked.push(job)
      if (status) agreement.set(worker.name, status.epoch)
      if (status) tellAgreement()
    })
    // Who takes its job over lives on.
    void worker.ended.then((reason) => {
      if (reason !== 'SIGKILL') return // it was stopped, at the end
      agreement.delete(worker.name)
      console.log(`${worker.name} has died with job-20 in its hands: ${reason}`)
      for (const other of workers) if (other !== worker) other.ask({ spare: true })
    })
  }

  const relay = createRelay({ redis: { sentinels }, lease: { ms: 800 } })
  teardown(() => relay.close())
  const done: string[] = []
  relay.subscribe('done', ({ data }) => done.push((data as { job: string }).job), { from: 'start' })

  for (const [i, job] of JOBS.entries()) {
    void relay.publish('jobs', { job }, { id: job })
    if (i === JOBS.length / 2) {
      const master = (await cluster.master())!
      await master.kill()
      console.log(`the master at ${master.port} is killed`)
    }
    await sleep(10)
  }
  while (new Set(done).size < JOBS.length) await sleep(20)
  await sleep(200) // for a second result, if there were one

  const twice = (list: readonly string[]) => list.length - new Set(list).size
  console.log(`${JOBS.length} jobs: ${new Set(done).size} done, ${twice(done)} results too many`)
  console.log(`work was begun and finished ${worked.length} times, ${twice(worked)} of them again`)
  console.log(`in the registry: ${JSON.stringify(relay.status().epochsInUseByPeers)}`)
  return done.length === JOBS.length ? 0 : 1
})

/** Says which master, known by its epoch, the workers use at the moment, when that changes. */
function tellAgreement(): void {
  const epochs = [...agreement.values()].map((epoch) => epoch ?? 'none')
  const counts = [...new Set(epochs)].map(
    (epoch) => `${epochs.filter((one) => one === epoch).length} on ${epoch}`,
  )
  const text = counts.sort().join(', ')
  if (agreement.size < WORKERS.length - 1 || text === told) return
  told = text
  console.log(`workers: ${text}`)
}
