import { Client, type Room } from '@colyseus/sdk'
import t, { type Test } from 'tap'
import { Child } from '../proofs/child.ts'
import { LONG_PATIENCE } from '../proofs/patience.ts'
import { type Scope } from '../support/balancer.ts'
import { until } from '../support/until.ts'
import { type ColyseusProcess } from './colyseus-process.ts'
import { crowd, tally, trio } from './harness.ts'
import './short-keep-alive.ts'

// Three processes that know their own rooms only: nothing is shared between them, no Redis.

t.setTimeout(LONG_PATIENCE)

const ROOMS = 12
const CLIENTS_EACH = 3
const MESSAGES = 10

async function colyseusServer(t: Scope, id: string) {
  const child = new Child<ColyseusProcess>(t, '../protocols/colyseus-process.ts')
  return { id, child, url: await child.ask('start', id) }
}

/** Says something, and settles with the answer. */
function ask<T>(room: Room, type: string, answerType: string, value?: unknown): Promise<T> {
  return new Promise((resolve) => {
    const forget = room.onMessage(answerType, (answer: T) => {
      forget()
      resolve(answer)
    })
    room.send(type, value)
  })
}

const whoAreYou = (room: Room) => ask<string>(room, 'whoAreYou', 'iAm')

/** The first client of each room creates it, the others join it by its id. */
async function fill(t: Test, url: string): Promise<Room[]> {
  const created = await crowd(ROOMS, () => new Client(url).create('echo'))
  const joined = await crowd(ROOMS * (CLIENTS_EACH - 1), (index) =>
    new Client(url).joinById(created[index % ROOMS]!.roomId),
  )
  const rooms = [...created, ...joined]
  t.teardown(() => {
    for (const room of rooms) room.connection.close()
  })
  return rooms
}

t.test(
  'Colyseus: a seat is taken in the process that has reserved it, and a room joined where it is',
  async (t) => {
    // Its SDK tells people of each reconnection.
    t.capture(console, 'info')
    const { url, servers, balancer, ledger, refused } = await trio(t, colyseusServer, () => ({
      sticky: 'colyseus',
    }))
    const rooms = await fill(t, url)
    const before = await Promise.all(rooms.map(whoAreYou))
    t.strictSame(Object.keys(tally(before)).sort(), ['blue', 'green', 'red'])
    t.ok(
      before.every((name, index) => name === before[index % ROOMS]),
      'everybody is where the room is',
    )
    const talk = rooms.map(async (room, index) => {
      for (let number = 0; number < MESSAGES; number++)
        ledger.received(`client ${index}`, await ask<number>(room, 'echo', 'echo', number))
    })
    await Promise.all(talk)

    // Every tunnel is cut: the clients come back by themselves, with their reconnection tokens, to their seats.
    let back = 0
    for (const room of rooms) {
      Object.assign(room.reconnection, { minUptime: 0, minDelay: 1, maxDelay: 20 })
      room.onReconnect(() => back++)
    }
    for (const { id } of balancer.snapshot().tunnels) balancer.closeTunnel(id, { code: 1001, reason: 'move' })
    await until(() => back === rooms.length, 'all to come back', 20_000)
    t.strictSame(await Promise.all(rooms.map(whoAreYou)), before)

    const counts = (await Promise.all(servers.map(({ child }) => child.ask('rooms')))).flat()
    t.same(
      counts.map(({ clients }) => clients),
      Array.from({ length: ROOMS }, () => CLIENTS_EACH),
    )
    await Promise.all(rooms.map((room) => room.leave()))
    t.strictSame(ledger.errors, [])
    t.strictSame(refused, [])
  },
)

t.test(
  'Colyseus: after one process is killed, rooms of the others are as they were, and new ones are made',
  async (t) => {
    t.capture(console, 'info')
    const { url, servers } = await trio(t, colyseusServer, () => ({ sticky: 'colyseus' }))
    const rooms = await fill(t, url)
    const before = await Promise.all(rooms.map(whoAreYou))
    for (const room of rooms) room.reconnection.enabled = false
    let lost = 0
    for (const room of rooms) room.onLeave(() => lost++)
    await servers[0]!.child.kill()
    const dead = before.filter((name) => name === 'red').length
    await until(() => lost === dead, `${dead} clients to lose their room`)
    const living = rooms.filter((_, index) => before[index] !== 'red')
    const newcomers = await crowd(ROOMS, () => new Client(url).joinOrCreate('echo'))
    t.notMatch(await Promise.all(newcomers.map(whoAreYou)), ['red'])
    t.strictSame(
      await Promise.all(living.map(whoAreYou)),
      before.filter((name) => name !== 'red'),
    )
    await Promise.all([...living, ...newcomers].map((room) => room.leave()))
  },
)

t.test('without stickiness seats are not found', async (t) => {
  t.capture(console, 'info')
  t.capture(console, 'warn')
  const { url } = await trio(t, colyseusServer, () => ({ sticky: false }))
  const created = await Promise.allSettled(
    Array.from({ length: 12 }, () => new Client(url).create('echo').then((room) => room.leave())),
  )
  t.ok(created.some(({ status }) => status === 'rejected'))
})
