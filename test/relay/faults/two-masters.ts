import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer } from '../../../examples/support/redis-server.ts'
import { type Scope } from '../../support/balancer.ts'
import { startRedis } from '../../support/redis-server.ts'
import { until } from '../../support/until.ts'
import { check, type Verdict } from './checker.ts'
import { CHANNEL, Node } from './node.ts'
import { monotonicNow, Recorder } from './record.ts'
import { type Naming, type Says } from './scripted-sentinel.ts'

const LEASE = 2_000
const GRACE = 15_000
const PATIENCE = 20_000
const SENTINELS = [1, 2, 3]
/** It watches something else. */
const STALE = 9

/** Two servers that are masters, and Sentinels that say what is wanted: timed by hand, it is the same every time. */
class TwoMasters {
  readonly recorder = new Recorder()
  readonly #nodes: Node[] = []
  readonly #t: Scope
  readonly old: Naming
  readonly new: Naming

  constructor(t: Scope, [first, second]: readonly [RedisServer, RedisServer]) {
    this.#t = t
    this.old = { port: first.port, term: 1 }
    this.new = { port: second.port, term: 2 }
  }

  static async start(t: Scope): Promise<TwoMasters> {
    return new TwoMasters(t, [await startRedis(t), await startRedis(t)])
  }

  node(name: string, says: Says, ports: readonly number[] = SENTINELS): Node {
    const sentinels = ports.map((port) => ({ host: 'sentinel', port }))
    const relay = {
      redis: { sentinels },
      lease: { ms: LEASE },
      history: { length: 10_000 },
      publish: { replicas: 0, graceMs: GRACE },
    }
    const node = new Node({ name, relay, says }, this.recorder.add)
    this.#nodes.push(node)
    this.#t.teardown(() => node.close())
    return node
  }

  async calm(): Promise<void> {
    const now = monotonicNow()
    const isCalm = () => this.#nodes.every(({ name }) => this.recorder.isUpToDate(name, now))
    await until(isCalm, 'every node to get what is published now', PATIENCE).catch(() => {})
  }

  /** @param last the master whose log has survived */
  async finish(last: Naming): Promise<Verdict> {
    for (const node of this.#nodes) node.stopPublishing()
    await until(() => this.#nodes.every(({ unsettled }) => unsettled === 0), 'all answers', PATIENCE).catch(
      () => {},
    )
    const names = this.#nodes.map(({ name }) => name)
    const reader = this.node('reader', () => last)
    const entries = await reader.readAll(LEASE * 2, () => names.every((name) => this.recorder.hasEnded(name)))
    await Promise.all(this.#nodes.map((node) => node.close()))
    this.recorder.add({ kind: 'log', channel: CHANNEL, entries })
    return check(this.recorder.events, { graceMs: GRACE })
  }
}

/** A node that hears of no Sentinel any more uses the old master while its lease lasts; the others hear of the new one. */
export async function leasesOfOthers(t: Scope): Promise<Verdict> {
  const stage = await TwoMasters.start(t)
  let a: Naming | undefined = stage.old
  let b: Naming | undefined = stage.old
  const nodes = [stage.node('a', () => a), stage.node('b', () => b)]
  await Promise.all(nodes.map((node) => node.listen()))
  for (const node of nodes) node.publish(100)
  await stage.calm()
  a = undefined
  b = stage.new
  await sleep(LEASE * 1.5)
  a = stage.new
  await stage.calm()
  return stage.finish(stage.new)
}

/** The first Sentinel of a node's list watches something else, and is the first to answer. */
export async function firstAnswer(t: Scope): Promise<Verdict> {
  const stage = await TwoMasters.start(t)
  const a = stage.node('a', () => stage.old)
  await a.listen()
  a.publish(100)
  const heard: { later?: Naming } = {}
  const b = stage.node('b', (port) => (port === STALE ? stage.new : heard.later), [STALE, ...SENTINELS])
  const listening = b.listen()
  b.publish(100)
  await sleep(LEASE)
  heard.later = stage.old
  await listening
  await stage.calm()
  return stage.finish(stage.old)
}
