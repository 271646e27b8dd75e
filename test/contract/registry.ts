import t, { type Test } from 'tap'
import { type Orphan, type Registry } from '../../lib/relay/session/registry.ts'

export interface RegistryBench {
  readonly registry: Registry
  /** The lease of a node that has beaten ends, as if its time were over. */
  readonly expire: (nodeId: string) => unknown
}

const LEASE = 60_000
const who = (orphans: readonly Orphan[]) =>
  orphans.map(({ room, clientId, nodeId }) => `${room} ${clientId} ${nodeId}`).sort()

/** What a node does with a sweep: tells what is found, and takes it out. */
async function sweepAll(registry: Registry, limit = 100): Promise<Orphan[]> {
  const found: Orphan[] = []
  let next: string | undefined
  do {
    const sweep = await registry.sweep(limit, next)
    for (const orphan of sweep.orphans)
      if (await registry.leave(orphan.room, orphan.clientId, orphan)) found.push(orphan)
    next = sweep.next
  } while (next !== undefined)
  return found
}

/** What every registry promises. @param make two nodes, `a` and `b`, have a lease when `beaten` */
export function registryContract(make: (t: Test) => Promise<RegistryBench> | RegistryBench): void {
  async function beaten(t: Test): Promise<RegistryBench> {
    const bench = await make(t)
    await bench.registry.beat('a', 'e1', LEASE)
    await bench.registry.beat('b', 'e1', LEASE)
    return bench
  }

  t.test('a beat renews a lease and says who else has one', async (t) => {
    const { registry, expire } = await make(t)
    t.same(await registry.beat('a', 'e1', LEASE), { renewed: false, peers: [{ nodeId: 'a', epoch: 'e1' }] })
    await registry.beat('b', 'e1', LEASE)
    const { renewed, peers } = await registry.beat('a', 'e2', LEASE)
    t.ok(renewed)
    t.same(new Map(peers.map(({ nodeId, epoch }) => [nodeId, epoch])), new Map([['a', 'e2'], ['b', 'e1']])) // prettier-ignore
    await expire('a')
    t.same((await registry.beat('b', 'e2', LEASE)).peers, [{ nodeId: 'b', epoch: 'e2' }])
    t.notOk((await registry.beat('a', 'e2', LEASE)).renewed, 'it had ended')
    await registry.retire('b')
    t.same((await registry.beat('a', 'e2', LEASE)).peers, [{ nodeId: 'a', epoch: 'e2' }])
    await registry.retire('nobody')
  })

  t.test('a lease ends by itself', async (t) => {
    const { registry } = await make(t)
    await registry.beat('a', 'e1', 1)
    await new Promise((resolve) => setTimeout(resolve, 5))
    t.same((await registry.beat('b', 'e1', LEASE)).peers, [{ nodeId: 'b', epoch: 'e1' }])
  })

  t.test('the newest claim wins, and names the one before', async (t) => {
    const { registry } = await beaten(t)
    t.equal(await registry.locate('bob'), undefined)
    const first = await registry.claim('bob', 'a')
    t.equal(first.owner.nodeId, 'a')
    t.equal(first.previous, undefined)
    t.same(await registry.locate('bob'), first.owner)
    const second = await registry.claim('bob', 'b')
    t.same(second.previous, first.owner)
    t.ok(second.owner.connId > first.owner.connId)
    const third = await registry.claim('bob', 'b')
    t.same(third.previous, second.owner, 'two connections of one node')
    t.notOk(await registry.release('bob', first.owner), 'the late close of an old connection')
    t.same(await registry.locate('bob'), third.owner)
    t.ok(await registry.release('bob', third.owner))
    t.equal(await registry.locate('bob'), undefined)
    t.notOk(await registry.release('bob', third.owner))
  })

  t.test('a claim that is made again wins over older ones only', async (t) => {
    const { registry } = await beaten(t)
    const old = (await registry.claim('bob', 'a')).owner
    const young = (await registry.claim('bob', 'b')).owner
    t.same(await registry.claim('bob', 'a', old.connId), { owner: young, previous: undefined })
    t.same(await registry.claim('bob', 'b', young.connId), { owner: young, previous: undefined })
    await registry.release('bob', young)
    // As after a wipe: the old one is there first, and gives way.
    t.same((await registry.claim('bob', 'a', old.connId)).owner, old)
    t.same(await registry.claim('bob', 'b', young.connId), { owner: young, previous: old })
    const { owner } = await registry.claim('bob', 'a')
    t.ok(owner.connId > young.connId)
  })

  t.test('a client of a node without a lease is nowhere', async (t) => {
    const { registry, expire } = await beaten(t)
    await registry.claim('bob', 'a')
    await expire('a')
    t.equal(await registry.locate('bob'), undefined)
    await registry.beat('a', 'e1', LEASE)
    t.equal((await registry.locate('bob'))?.nodeId, 'a')
  })

  t.test('a room: enter, enter elsewhere, leave', async (t) => {
    const { registry } = await beaten(t)
    t.same(await registry.members('room'), [])
    const first = await registry.enter('room', 'bob', 'a', '{"name":"Bob\\n"}')
    t.match(first, { clientId: 'bob', nodeId: 'a', info: '{"name":"Bob\\n"}' })
    const eve = await registry.enter('room', 'eve', 'b', 'null')
    t.same(new Set(await registry.members('room')), new Set([first, eve]))
    const second = await registry.enter('room', 'bob', 'b', '1')
    t.ok(second.at > first.at && second.connId > first.connId)
    t.notOk(await registry.leave('room', 'bob', first), 'it is in by another connection')
    t.same(new Set(await registry.members('room')), new Set([second, eve]))
    t.ok(await registry.leave('room', 'bob', second))
    t.notOk(await registry.leave('room', 'bob', second))
    t.same(await registry.members('room'), [eve])
    t.same(await registry.members('other'), [])
  })

  t.test('an entry that is made again wins over older ones only', async (t) => {
    const { registry } = await beaten(t)
    const old = await registry.enter('room', 'bob', 'a', '1')
    const young = await registry.enter('room', 'bob', 'b', '2')
    t.same(await registry.enter('room', 'bob', 'a', '1', old.connId), young)
    t.same(await registry.enter('room', 'bob', 'b', '2', young.connId), young, 'nothing has changed')
    await registry.leave('room', 'bob', young)
    const again = await registry.enter('room', 'bob', 'a', '1', old.connId)
    t.equal(again.connId, old.connId)
    t.ok(again.at > young.at, 'it is news')
    t.match(await registry.enter('room', 'bob', 'b', '2', young.connId), {
      connId: young.connId,
      nodeId: 'b',
    })
    t.equal((await registry.members('room')).length, 1)
  })

  t.test('names of any kind', async (t) => {
    const { registry, expire } = await beaten(t)
    const names = ['', ' ', 'ü€𝄞', '{a}{b}', 'a:b', '"', '\\n', '\n\n', '%s', 'x'.repeat(300), '\0']
    for (const name of names) {
      const { owner } = await registry.claim(name, 'a')
      t.same(await registry.locate(name), owner, JSON.stringify(name).slice(0, 20))
      const member = await registry.enter(name, name, 'a', JSON.stringify(name))
      t.same(await registry.members(name), [member])
    }
    await expire('a')
    t.same(new Set((await sweepAll(registry)).map(({ room }) => room)), new Set(names))
  })

  t.test('what a dead node leaves is found, told and gone', async (t) => {
    const { registry, expire } = await beaten(t)
    await registry.claim('bob', 'a')
    await registry.claim('eve', 'b')
    await registry.enter('room', 'bob', 'a', '1')
    await registry.enter('room', 'eve', 'b', '1')
    await registry.enter('den', 'bob', 'a', '1')
    t.same(await sweepAll(registry), [], 'both live')
    await expire('a')
    t.same((await registry.members('room')).map(({ clientId }) => clientId), ['eve']) // prettier-ignore
    t.same(who((await registry.sweep(100)).orphans), ['den bob a', 'room bob a'])
    t.same(
      who((await registry.sweep(100)).orphans),
      ['den bob a', 'room bob a'],
      'until somebody takes them out',
    )
    t.same(who(await sweepAll(registry)), ['den bob a', 'room bob a'])
    t.same(await sweepAll(registry), [])
    await registry.beat('a', 'e1', LEASE)
    t.equal(await registry.locate('bob'), undefined, 'the directory does not have him either')
    t.equal((await registry.locate('eve'))?.nodeId, 'b')
  })

  t.test('who has entered elsewhere meanwhile is no orphan', async (t) => {
    const { registry, expire } = await beaten(t)
    await registry.claim('bob', 'a')
    await registry.enter('room', 'bob', 'a', '1')
    await expire('a')
    const { orphans } = await registry.sweep(100)
    const { owner } = await registry.claim('bob', 'b')
    const member = await registry.enter('room', 'bob', 'b', '1')
    for (const orphan of orphans) t.notOk(await registry.leave('room', 'bob', orphan))
    t.same(await sweepAll(registry), [])
    t.same(await registry.locate('bob'), owner)
    t.same(await registry.members('room'), [member])
  })

  t.test('of a node that never beat, or retired, everything is found', async (t) => {
    const { registry } = await beaten(t)
    await registry.claim('bob', 'mute')
    await registry.enter('room', 'bob', 'mute', '1')
    await registry.enter('room', 'eve', 'b', '1')
    await registry.retire('b')
    t.same(who(await sweepAll(registry)), ['room bob mute', 'room eve b'])
  })

  t.test('many clients in many rooms, in small steps', async (t) => {
    const { registry, expire } = await beaten(t)
    const entering: Promise<unknown>[] = []
    for (let client = 0; client < 600; client++) {
      const nodeId = client % 3 === 0 ? 'b' : 'a'
      entering.push(registry.claim(`client-${client}`, nodeId))
      entering.push(registry.enter('all', `client-${client}`, nodeId, '1'))
      entering.push(registry.enter(`room-${client % 50}`, `client-${client}`, nodeId, '1'))
    }
    await Promise.all(entering)
    await expire('a')
    t.equal((await sweepAll(registry, 7)).length, 800)
    t.same(await sweepAll(registry, 7), [])
    t.equal((await registry.members('all')).length, 200)
    await registry.beat('a', 'e1', LEASE)
    t.equal(await registry.locate('client-1'), undefined)
    t.equal((await registry.locate('client-0'))?.nodeId, 'b')
  })
}
