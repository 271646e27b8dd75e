import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer } from '../../../examples/support/redis-server.ts'
import { type Stage, type StageOptions } from './stage.ts'

export interface Fault {
  /** As in docs/relay.md. */
  readonly name: string
  readonly stage: StageOptions
  /** Ends when all is repaired. */
  readonly strike: (stage: Stage) => Promise<void>
  /** How many gaps each subscriber is told of. @default 0 */
  readonly gaps?: number
  /** Somebody must have seen a tail that did not survive, or nothing was proved. @default false */
  readonly ghosts?: boolean
}

/** Milliseconds that a fault is left alone with those who publish. */
const MOMENT = 500

const sentinel: StageOptions = { on: 'sentinel' }
const parted: StageOptions = { on: 'sentinel', network: true }

async function masterOf({ cluster }: Stage): Promise<RedisServer> {
  const master = await cluster.master()
  if (!master) throw new Error('the Sentinels do not agree on a master')
  return master
}

/** As the network calls them. */
function named({ cluster }: Stage, servers: readonly RedisServer[]): string[] {
  return servers.map((server) => `server-${cluster.servers.indexOf(server) + 1}`)
}

function sentinelsOf({ cluster }: Stage): string[] {
  return cluster.sentinels.map((_, i) => `sentinel-${i + 1}`)
}

export const killed: Fault = {
  name: 'master killed, comes back',
  stage: sentinel,
  strike: async (stage) => {
    const master = await masterOf(stage)
    await master.kill()
    await stage.cluster.failedOver(master)
    await stage.calm()
    await master.start()
    await stage.cluster.settled()
  },
}

export const hanging: Fault = {
  name: 'master hangs, comes back stale',
  stage: sentinel,
  strike: async (stage) => {
    const master = await masterOf(stage)
    master.hang()
    await stage.cluster.failedOver(master)
    await stage.calm()
    master.resume()
    await stage.cluster.settled()
  },
}

export const twice: Fault = {
  name: 'two failovers',
  // A Sentinel that is too quick promotes the server that has just come back empty.
  stage: { on: 'sentinel', cluster: { downAfter: 1_000 } },
  strike: async (stage) => {
    await killed.strike(stage)
    await killed.strike(stage)
  },
}

/** The replica with the better priority has stopped to hear of the master: it is promoted all the same. */
export const lagging: Fault = {
  name: 'a replica that lags is promoted',
  stage: { ...parted, cluster: { priorities: [100, 10, 100] } },
  ghosts: true,
  strike: async (stage) => {
    const [first, second] = stage.cluster.servers
    stage.network.cut(['server-1'], ['server-2'])
    await sleep(MOMENT)
    await first!.kill()
    const master = await stage.cluster.failedOver(first!)
    if (master !== second) throw new Error('the wrong one was promoted')
    stage.network.heal()
  },
}

/** @param nodes those that stay with the master */
function partition(name: string, nodes: readonly string[], others: readonly string[]): Fault {
  return {
    name,
    stage: parted,
    strike: async (stage) => {
      const master = await masterOf(stage)
      const rest = stage.cluster.servers.filter((server) => server !== master)
      stage.network.part(
        [...named(stage, [master]), ...nodes],
        [...named(stage, rest), ...sentinelsOf(stage), ...others],
      )
      await stage.cluster.failedOver(master)
      await sleep(MOMENT)
      stage.network.heal()
      await stage.cluster.settled()
    },
  }
}

export const nearSide = partition('partition: a node stays with the old master', ['a'], ['b', 'c'])
export const farSide = partition('partition: the master is alone', [], ['a', 'b', 'c'])
export const middle = partition('partition: a node sees both sides', ['a'], ['c'])

/** As {@link nearSide}, with leases that outlast the failover: nobody may use the new master as soon as it is there. */
export const longLease: Fault = {
  ...nearSide,
  name: 'partition, with long leases',
  stage: { ...parted, relay: { lease: { ms: 6_000 } } },
  ghosts: true,
}

/** A node is told of a Sentinel that watches something else, and for a while no other one answers it. */
export const staleSentinel: Fault = {
  name: 'a stale Sentinel is listed first',
  stage: sentinel,
  strike: async (stage) => {
    const stale = await stage.otherCluster({ replicas: 1, sentinels: 1 })
    for (const one of stage.cluster.sentinels) one.hang()
    const joining = stage.node('d', [...stale.addresses, ...stage.cluster.addresses])
    await sleep(2 * MOMENT)
    for (const one of stage.cluster.sentinels) one.resume()
    const node = await joining
    node.publish(100)
    await sleep(2 * MOMENT)
  },
}

export const deafSentinels: Fault = {
  name: 'one direction: the Sentinels do not hear the master',
  stage: parted,
  strike: async (stage) => {
    const master = await masterOf(stage)
    stage.network.cut(named(stage, [master]), sentinelsOf(stage))
    await stage.cluster.failedOver(master)
    await sleep(MOMENT)
    stage.network.heal()
    await stage.cluster.settled()
  },
}

export const muteNode: Fault = {
  name: 'one direction: the master does not hear a node',
  stage: parted,
  strike: async (stage) => {
    const master = await masterOf(stage)
    stage.network.cut(['a'], named(stage, [master]))
    await sleep(4 * MOMENT)
    stage.network.heal()
  },
}

export const sentinelsRestarted: Fault = {
  name: 'all Sentinels restarted, one by one, then at once',
  stage: sentinel,
  strike: async (stage) => {
    const { sentinels } = stage.cluster
    for (const one of sentinels) {
      await one.kill()
      await one.start()
    }
    await Promise.all(sentinels.map((one) => one.kill()))
    await sleep(2 * MOMENT)
    await Promise.all(sentinels.map((one) => one.start()))
    await stage.cluster.settled()
  },
}

export const wiped: Fault = {
  name: 'master restarted empty before a Sentinel noticed',
  stage: { on: 'sentinel', cluster: { downAfter: 10_000 } },
  gaps: 1,
  strike: async (stage) => {
    const master = await masterOf(stage)
    await master.kill()
    stage.recorder.add({ kind: 'wiped' })
    await master.start()
    await stage.cluster.settled()
  },
}

export const restartedEmpty: Fault = {
  name: 'single Redis killed, comes back empty',
  stage: { on: 'redis' },
  gaps: 1,
  strike: async (stage) => {
    await stage.server.kill()
    stage.recorder.add({ kind: 'wiped' })
    await sleep(MOMENT)
    await stage.server.start()
  },
}

export const restored: Fault = {
  name: 'single Redis killed, comes back with its last snapshot',
  stage: { on: 'redis' },
  ghosts: true,
  strike: async (stage) => {
    await stage.server.command('SAVE')
    await sleep(MOMENT)
    await stage.server.kill()
    // Long enough that every node has something new to publish when it repeats what the snapshot lacks.
    await sleep(2 * MOMENT)
    await stage.server.start('all')
  },
}

export const flushed: Fault = {
  name: 'FLUSHALL',
  stage: { on: 'redis' },
  gaps: 1,
  strike: async (stage) => {
    stage.recorder.add({ kind: 'wiped' })
    await stage.server.command('FLUSHALL')
  },
}

export const singleHangs: Fault = {
  name: 'single Redis hangs for a while',
  stage: { on: 'redis' },
  strike: async (stage) => {
    stage.server.hang()
    await sleep(4 * MOMENT)
    stage.server.resume()
  },
}

export const cutOff: Fault = {
  name: 'all connections closed, five times',
  stage: { on: 'redis' },
  strike: async (stage) => {
    for (let turn = 0; turn < 5; turn++) {
      await stage.server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await stage.server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await sleep(MOMENT / 5)
    }
  },
}

export const subscriberKilled: Fault = {
  name: 'subscriber killed, resumes, three times',
  stage: { on: 'redis' },
  strike: async (stage) => {
    const child = await stage.child('child')
    child.listen()
    for (let turn = 0; turn < 3; turn++) {
      await stage.caughtUp(child)
      await child.kill()
      await sleep(MOMENT / 2)
      child.listen()
    }
    await stage.caughtUp(child)
  },
}

export const publisherKilled: Fault = {
  name: 'publisher killed, three times',
  stage: { on: 'redis' },
  strike: async (stage) => {
    const child = await stage.child('child')
    for (let turn = 0; turn < 3; turn++) {
      child.publish(100)
      await stage.heardOf(child)
      await child.kill()
    }
  },
}

export const subscriberStopped: Fault = {
  name: 'subscriber stopped for a while',
  stage: { on: 'redis' },
  strike: async (stage) => {
    const child = await stage.child('child')
    child.listen()
    await stage.caughtUp(child)
    child.signal('SIGSTOP')
    await sleep(6 * MOMENT)
    child.signal('SIGCONT')
    await stage.caughtUp(child)
  },
}

export const nothing: Fault = {
  name: 'nothing fails, in memory',
  stage: { on: 'memory' },
  strike: async () => sleep(MOMENT),
}
