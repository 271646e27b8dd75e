// What do clients see while the Redis master is killed, hangs, or is cut off?
import { emitKeypressEvents } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createBalancer } from 'wslb'
import { NodeProcess } from '../support/node-process.ts'
import { runProgram } from '../support/run-program.ts'
import { type Fault, Stage } from './stage.ts'
import { Traffic } from './traffic.ts'
import { View } from './view.ts'

const NODE = new URL('node.ts', import.meta.url)
const NODES = ['node-1', 'node-2', 'node-3']
const KEYS: Record<string, Fault> = { k: 'kill', h: 'hang', p: 'partition' }

await runProgram(async ({ stopped, teardown, stop }) => {
  const { script } = parseArgs({ options: { script: { type: 'string' } } }).values
  const stage = await Stage.start({ teardown })
  const env = { SENTINELS: JSON.stringify(stage.cluster.addresses) }
  const nodes = await Promise.all(NODES.map((name) => NodeProcess.start(name, NODE, env)))
  teardown(() => Promise.all(nodes.map((node) => node.stop())))

  const balancer = createBalancer({
    listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
    backends: nodes.map(({ name, url }) => ({ id: name, url })),
    balance: 'round-robin',
  })
  teardown(() => balancer.close())
  const [address] = await balancer.listen()
  const url = `http://127.0.0.1:${address!.port}`
  const traffic = await Traffic.start({ teardown }, url, [3, 4])
  const view = new View(traffic, nodes)
  console.log(`ready ${url}`)

  if (script !== undefined) {
    for (const fault of script.split(',')) await perform(fault as Fault, stage, traffic, view)
    traffic.fallSilent()
    await traffic.caughtUp()
    const { published, delivered, lost, doubled, gaps } = traffic.account
    console.log(
      `${published} messages, ${delivered} deliveries: ${lost} lost, ${doubled} doubled, ${gaps} gaps`,
    )
    return lost === 0 && doubled === 0 ? 0 : 1
  }

  console.log('k kill the master   h hang it   p part it from everybody   r bring it back   q quit')
  teardown(() => view.close())
  view.show()
  listenToKeys((key) => {
    const fault = KEYS[key]
    if (key === 'q') stop()
    else if (key === 'r') void stage.bringBack().then(() => view.tell('it is back'))
    else if (fault) {
      void stage.harm(fault).then((server) => {
        view.tell(
          server ? `${fault} of the master at ${server.exposedPort}` : 'bring the last one back first: r',
        )
      })
    }
  }, stop)
  await stopped
})

/** Brings the last one back, and does the next: until everybody has heard everything again. */
async function perform(fault: Fault, stage: Stage, traffic: Traffic, view: View): Promise<void> {
  await stage.bringBack()
  await stage.cluster.settled()
  await sleep(300)
  traffic.forgetSilence()
  const master = await stage.harm(fault)
  if (!master) throw new Error(`there is no master for: ${fault}`)
  const next = await stage.cluster.failedOver(master)
  await traffic.caughtUp()
  const silence = (traffic.account.longestSilence / 1_000).toFixed(1)
  console.log(
    `${fault}: from ${master.exposedPort} to ${next.exposedPort}, longest silence ${silence} s; ${view.agreement}`,
  )
}

function listenToKeys(pressed: (key: string) => void, gone: () => void): void {
  const { stdin } = process
  if (stdin.isTTY) stdin.setRawMode(true)
  emitKeypressEvents(stdin)
  stdin.on('keypress', (text: string | undefined, { name, ctrl }: { name?: string; ctrl?: boolean }) => {
    if (ctrl && name === 'c') gone()
    else pressed(text ?? '')
  })
  // A terminal that is gone; without one there was never anybody to press a key.
  if (stdin.isTTY) stdin.on('close', gone).on('error', gone)
}
