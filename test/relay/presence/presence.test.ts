import t from 'tap'
import { createRelay, MemoryStore, type Presence, type Relay } from '../../../lib/relay/index.ts'
import { Refused, SessionOver } from '../../../lib/relay/session/failures.ts'
import { type Scope } from '../../support/balancer.ts'
import { FastClock, ManualClock } from '../../support/clock.ts'
import { until } from '../../support/until.ts'

function relays(t: Scope, count: number, options: Parameters<typeof createRelay>[0] = {}): Relay[] {
  const memory = new MemoryStore()
  const made = Array.from({ length: count }, (_, index) =>
    createRelay({ memory, nodeId: `node-${index}`, ...options }),
  )
  t.teardown(() => Promise.all(made.map((relay) => relay.close())))
  return made
}

/** What a room tells, as text. */
async function told(presence: Presence): Promise<string[]> {
  const events: string[] = []
  for (const event of ['join', 'leave'] as const)
    presence.on(event, ({ clientId, nodeId }) => events.push(`${event} ${clientId} ${nodeId}`))
  await presence.ready
  return events
}

t.test('who joins on one node is seen, listed and missed on all', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  await a.presence('room').join('early', { name: 'Early' })
  const events = [await told(a.presence('room')), await told(b.presence('room'))]
  await a.presence('room').join('bob', { name: 'Bob' })
  await b.presence('room').join('eve')
  await b.presence('other').join('mallory')
  const list = await a.presence('room').list()
  t.same(
    new Set(list),
    new Set([
      { clientId: 'early', nodeId: 'node-0', info: { name: 'Early' } },
      { clientId: 'bob', nodeId: 'node-0', info: { name: 'Bob' } },
      { clientId: 'eve', nodeId: 'node-1', info: undefined },
    ]),
  )
  await a.presence('room').leave('bob')
  await a.presence('room').leave('nobody')
  const whole = ['join bob node-0', 'join eve node-1', 'leave bob node-0']
  await until(() => events.every(({ length }) => length === 3), 'three events on both')
  t.same(events.map((told) => [...told].sort()), [whole, whole]) // prettier-ignore
  t.equal((await b.presence('room').list()).length, 2)
})

t.test('who is there already does not join again, from whatever node', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const events = await told(a.presence('room'))
  await a.presence('room').join('bob', 1)
  await a.presence('room').join('bob', 2)
  await b.presence('room').join('bob', 3)
  t.match(await a.presence('room').list(), [{ clientId: 'bob', nodeId: 'node-1', info: 3 }])
  await a.presence('room').leave('bob')
  t.equal((await a.presence('room').list()).length, 1, 'the late close of the old connection')
  await b.presence('room').leave('bob')
  await until(() => events.length === 2, 'the end')
  t.same(events, ['join bob node-0', 'leave bob node-1'])
})

t.test('in and out again quickly: the last word counts', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const events = await told(b.presence('room'))
  const room = a.presence('room')
  const calls: Promise<void>[] = []
  for (let turn = 0; turn < 20; turn++) calls.push(room.join('bob', turn), room.leave('bob'))
  calls.push(room.join('bob', 'last'))
  await Promise.all(calls)
  t.match(await b.presence('room').list(), [{ clientId: 'bob', info: 'last' }])
  await room.leave('bob')
  await until(() => events.at(-1) === 'leave bob node-0', 'the leave')
  t.same(await b.presence('room').list(), [])
  t.equal(events.length % 2, 0)
  t.ok(events.every((event, index) => event.startsWith(index % 2 ? 'leave' : 'join')))
})

t.test('listeners come and go; one that throws hurts nobody', async (t) => {
  const logged: string[] = []
  const log = {
    debug() {},
    info() {},
    warn() {},
    error: (_: object, message: string) => logged.push(message),
  }
  const [a] = relays(t, 1, { log }) as [Relay]
  const room = a.presence('room')
  const heard: string[] = []
  const listener = () => heard.push('first')
  room.on('join', listener)
  room.on('join', () => {
    throw new Error('mine')
  })
  room.on('join', () => Promise.reject(new Error('mine, too')) as never)
  room.on('join', ({ clientId }) => heard.push(clientId))
  const other = a.presence('room').on('join', ({ clientId }) => heard.push(`other ${clientId}`))
  await room.ready
  await room.join('bob')
  await until(() => heard.length === 3, 'all of them')
  t.same(heard.splice(0), ['first', 'bob', 'other bob'])
  await until(() => logged.length === 2, 'the log')
  room.off('join', listener)
  other.close()
  await room.join('eve')
  await until(() => heard.length > 0, 'the one that is left')
  t.same(heard.splice(0), ['eve'])
  room.close()
  const { subscriptions } = a.status()
  t.equal(subscriptions, 0)
  await room.join('carol')
  t.equal((await room.list()).length, 3)
  t.same(heard, [])
})

t.test('a node that dies: its clients leave, once, whoever sweeps', async (t) => {
  const clock = new FastClock(50)
  const memory = new MemoryStore()
  const [a, b, c] = relays(t, 3, { clock, memory }) as [Relay, Relay, Relay]
  const events = [await told(b.presence('room')), await told(c.presence('room'))]
  const directory = memory.directory
  await a.presence('room').join('bob', 1)
  await a.presence('room').join('eve', 1)
  await b.presence('room').join('carol', 1)
  await until(() => events.every(({ length }) => length === 3), 'the joins')
  // As a process that is gone: it does not beat any more, and says nothing.
  const beat = directory.beat.bind(directory)
  directory.beat = (nodeId, ...rest) =>
    nodeId === 'node-0' ? { renewed: true, peers: [] } : beat(nodeId, ...rest)
  await until(() => events.every(({ length }) => length >= 5), 'the leaves')
  // Until every one of them has swept once more.
  const later = clock.now() + 15_000
  await until(() => clock.now() > later, 'another three beats')
  t.same(events.map((told) => told.slice(3).sort()), [['leave bob node-0', 'leave eve node-0'], ['leave bob node-0', 'leave eve node-0']]) // prettier-ignore
  t.same((await c.presence('room').list()).map(({ clientId }) => clientId), ['carol']) // prettier-ignore
})

t.test('a node that slept longer than its lease enters its clients again', async (t) => {
  const clock = new FastClock(50)
  const memory = new MemoryStore()
  const [a, b] = relays(t, 2, { clock, memory }) as [Relay, Relay]
  const events = await told(b.presence('room'))
  await a.presence('room').join('bob', 1)
  let asleep = true
  const beat = memory.directory.beat.bind(memory.directory)
  memory.directory.beat = (nodeId, ...rest) => {
    if (asleep && nodeId === 'node-0') throw new Error('it sleeps')
    return beat(nodeId, ...rest)
  }
  await until(() => events.length === 2, 'bob to leave')
  asleep = false
  await until(() => events.length === 3, 'bob to leave and to come back')
  t.same(events, ['join bob node-0', 'leave bob node-0', 'join bob node-0'])
  t.equal((await b.presence('room').list()).length, 1)
})

/** The registry does what it is asked, but its answers do not arrive. @returns how many were lost */
function loseAnswers(directory: MemoryStore['directory'], call: 'claim' | 'enter') {
  const asked = directory[call].bind(directory) as (...args: unknown[]) => never
  const lost = { count: 0, over: false }
  directory[call] = (...args: unknown[]) => {
    const answer = asked(...args)
    if (lost.over) return answer
    lost.count++
    throw new SessionOver('the answer was lost')
  }
  return lost
}

t.test('a client that goes before it is known to be there is nowhere', async (t) => {
  const clock = new FastClock(50)
  const memory = new MemoryStore()
  const [a, b] = relays(t, 2, { clock, memory }) as [Relay, Relay]
  const socket = { bufferedAmount: 0, send() {}, close() {}, on() {} }
  const claims = loseAnswers(memory.directory, 'claim')
  const attachment = a.attach(socket, { clientId: 'bob' })
  await until(() => claims.count > 0, 'the claim')
  t.match(await b.locate('bob'), { nodeId: 'node-0' })
  attachment.close()
  await until(() => memory.directory.locate('bob', 0) === undefined, 'nobody')
  t.equal(await b.locate('bob'), null)

  const { count } = claims
  const old = a.attach(socket, { clientId: 'eve' })
  await until(() => claims.count > count, 'the claim of the old one')
  claims.over = true
  const newer = b.attach(socket, { clientId: 'eve' })
  await until(() => memory.directory.locate('eve', clock.now())?.nodeId === 'node-1', 'the claim of the newer one') // prettier-ignore
  old.close()
  const later = clock.now() + 15_000
  await until(() => clock.now() > later, 'whatever the old one does')
  t.match(await a.locate('eve'), { nodeId: 'node-1' })
  newer.close()
})

t.test('a client that leaves before it is known to be in is out', async (t) => {
  const clock = new FastClock(50)
  const memory = new MemoryStore()
  const [a, b] = relays(t, 2, { clock, memory }) as [Relay, Relay]
  const room = b.presence('room')
  const events = await told(room)
  const entries = loseAnswers(memory.directory, 'enter')
  const join = a.presence('room').join('bob')
  await until(() => entries.count > 0, 'the entry')
  t.same((await room.list()).map(({ clientId }) => clientId), ['bob']) // prettier-ignore
  await Promise.all([join, a.presence('room').leave('bob')])
  t.same(await room.list(), [])

  entries.over = true
  await a.presence('room').join('eve', 1)
  entries.over = false
  void a.presence('room').join('eve', 2)
  const { count } = entries
  await until(() => entries.count > count, 'another entry')
  await a.presence('room').leave('eve')
  t.same(await room.list(), [])
  await until(() => events.length === 2, 'eve to come and go')
  t.same(events, ['join eve node-0', 'leave eve node-0'])
})

t.test('the nodes see one another, and who has left', async (t) => {
  const clock = new FastClock(50)
  const [a, b] = relays(t, 2, { clock }) as [Relay, Relay]
  const epoch = a.status().epoch!
  await until(() => a.status().epochsInUseByPeers[epoch] === 2, 'two nodes on one epoch')
  await b.close()
  await until(() => a.status().epochsInUseByPeers[epoch] === 1, 'one node')
})

t.test('closed, what waits is rejected, and no timer is left', async (t) => {
  const clock = new FastClock(1)
  const [a] = relays(t, 1, { clock }) as [Relay]
  const room = a.presence('room')
  await room.join('bob', 1)
  await a.close()
  await t.rejects(room.join('eve'), { code: 'WSLB_CLOSED' })
  await t.rejects(room.leave('bob'), { code: 'WSLB_CLOSED' })
  await t.rejects(room.list(), { code: 'WSLB_CLOSED' })
  await t.rejects(a.locate('bob'), { code: 'WSLB_CLOSED' })
  t.throws(() => room.on('join', () => {}), { code: 'WSLB_CLOSED' })
  await until(() => clock.pending === 0, 'no timer')
})

t.test('what is no info, and no name', async (t) => {
  const [a] = relays(t, 1, { clock: new ManualClock() }) as [Relay]
  const room = a.presence('room')
  await t.rejects(
    room.join('bob', () => {}),
    TypeError,
  )
  await t.rejects(room.join('bob', 'x'.repeat(9_000)), { code: 'WSLB_RELAY_TOO_LARGE' })
  await t.rejects(room.join('', 1), { code: 'WSLB_CONFIG_INVALID' })
  t.throws(() => a.presence(''), { code: 'WSLB_CONFIG_INVALID' })
  t.same(await room.list(), [])
})

t.test('many calls that wait are no leak that Node would warn of', async (t) => {
  const warnings: string[] = []
  const warned = ({ name }: Error) => warnings.push(name)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const memory = new MemoryStore()
  const [a] = relays(t, 1, { memory }) as [Relay]
  const { directory } = memory
  const members = directory.members.bind(directory)
  let refused = 0
  directory.members = (...args) => {
    if (refused++ < 40) throw new Refused('OOM command not allowed')
    return members(...args)
  }
  let lists = 0
  for (let call = 0; call < 40; call++) void a.presence('room').list().then(() => lists++) // prettier-ignore
  await until(() => lists === 40, 'all of them')
  t.same(warnings, [])
})
