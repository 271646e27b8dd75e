import { Duplex } from 'node:stream'
import t from 'tap'
import { Sweep } from '../../lib/proxy/sweep.ts'
import { Tunnel } from '../../lib/proxy/tunnel.ts'
import { Tunnels } from '../../lib/proxy/tunnels.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

/** A leg whose peer says nothing unless it is made to. */
class QuietLeg extends Duplex {
  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}

const PERIOD = 15_000
const times = { ping: 2 * PERIOD, idleTimeout: false, maxAge: false, closeTimeout: 5_000 } as const

/** One tunnel under a heartbeat. */
function beating(clock: ManualClock) {
  const tunnels = new Tunnels()
  const [client, upstream] = [new QuietLeg(), new QuietLeg()]
  const tunnel = new Tunnel({
    ...{
      id: tunnels.nextId(),
      request: plainRequest(),
      backend: plainBackend('a'),
      route: '*',
      handshake: 1,
    },
    ...{ client, upstream, clock, random: () => 0.5, times: () => times },
    onEnd: (ended) => tunnels.delete(ended),
  })
  tunnels.add(tunnel)
  tunnel.start({ fromClient: [], clientEnded: false, fromBackend: Buffer.alloc(0) })
  const sweep = new Sweep(clock, tunnels, (tunnel) => tunnel.beat())
  sweep.every = PERIOD
  sweep.start()
  return { tunnel, client, upstream, sweep }
}

const text = Buffer.from([0x81, 1, 97])
const maskedText = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 97])

t.test('a stall is held against nobody: what came meanwhile is read before the next beat', async (t) => {
  const clock = new ManualClock()
  const { tunnel, client, upstream, sweep } = beating(clock)
  // One more, and both legs would be given up.
  await clock.advance(5 * PERIOD)
  await clock.stall(100 * PERIOD)
  t.equal(tunnel.ending, false)
  client.push(maskedText)
  upstream.push(text)
  await clock.advance(3 * PERIOD)
  t.equal(tunnel.ending, false, 'they live')
  t.equal(tunnel.traffic.messagesIn + tunnel.traffic.messagesOut, 2)
  sweep.stop()
  tunnel.destroy('shutdown')
})

t.test('who says nothing after a stall either is given up; stalls upon stalls put it off', async (t) => {
  const clock = new ManualClock()
  const { tunnel, sweep } = beating(clock)
  await clock.advance(5 * PERIOD)
  for (let i = 0; i < 10; i++) await clock.stall(2 * PERIOD)
  t.equal(tunnel.ending, false)
  await clock.advance(PERIOD)
  t.equal(tunnel.ending, true)
  sweep.stop()
  await clock.advance(5_000)
  t.equal(clock.pending, 0)
})

/** A sweep over tunnels that are nothing but a number, and when each was visited. */
function visiting(clock: ManualClock, count: number, every: number) {
  const tunnels = new Tunnels()
  const visits = new Map<number, number[]>()
  const backend = plainBackend('a')
  const join = () => {
    const tunnel = { id: tunnels.nextId(), backend } as Tunnel
    tunnels.add(tunnel)
    return tunnel
  }
  const open = Array.from({ length: count }, join)
  const sweep = new Sweep(clock, tunnels, ({ id }) =>
    visits.set(id, [...(visits.get(id) ?? []), clock.now()]),
  )
  sweep.every = every
  sweep.start()
  /** How many were visited at once, at most. */
  const most = () => {
    const counts = new Map<number, number>()
    for (const at of [...visits.values()].flat()) counts.set(at, (counts.get(at) ?? 0) + 1)
    return Math.max(...counts.values())
  }
  return { tunnels, open, join, sweep, visits, most }
}

t.test('a round is spread over its period, and each is visited once in a period', async (t) => {
  const clock = new ManualClock()
  const { sweep, visits, most } = visiting(clock, 10_000, PERIOD)
  await clock.advance(4 * PERIOD - 1)
  t.equal(visits.size, 10_000)
  t.equal(most(), 250)
  for (const [first, ...others] of visits.values()) {
    if (first! < PERIOD || first! >= 2 * PERIOD || others.length !== 2) t.fail(`${first}, ${others.join()}`)
    for (const [i, at] of others.entries())
      if (Math.abs(at - first! - (i + 1) * PERIOD) > 1e-6) t.fail(`${first}, ${others.join()}`)
  }
  t.equal(clock.pending, 1, 'one timer')
  sweep.stop()
  t.equal(clock.pending, 0)
})

t.test('in a short period slices grow', async (t) => {
  const clock = new ManualClock()
  const { sweep, visits, most } = visiting(clock, 10_000, 100)
  await clock.advance(199)
  t.equal(visits.size, 10_000)
  t.equal(most(), 1_000)
  sweep.stop()
})

t.test('whoever comes and leaves during a round puts nobody out', async (t) => {
  const clock = new ManualClock()
  const { tunnels, open, join, sweep, visits } = visiting(clock, 1_000, PERIOD)
  await clock.advance(PERIOD)
  t.equal(visits.size, 250)
  for (const tunnel of open.slice(100, 600)) tunnels.delete(tunnel)
  const late = Array.from({ length: 1_000 }, join)
  await clock.advance(PERIOD - 1)
  for (const { id } of open.slice(600)) t.equal(visits.get(id)?.length, 1)
  await clock.advance(PERIOD)
  for (const { id } of [...open.slice(0, 100), ...open.slice(600)])
    if (visits.get(id)?.length !== 2) t.fail(`${id}: ${visits.get(id)?.join()}`)
  for (const { id } of late) if (!visits.has(id)) t.fail(`${id} was not visited`)
  for (const tunnel of [...open, ...late]) tunnels.delete(tunnel)
  await clock.advance(PERIOD)
  t.equal(clock.pending, 0, 'it ends with the last tunnel')
  sweep.start()
  t.equal(clock.pending, 1, 'and begins again')
  sweep.stop()
})

t.test('a slice that comes after a stall is put off, and the round goes on', async (t) => {
  const clock = new ManualClock()
  const { sweep, visits } = visiting(clock, 1_000, 4_000)
  await clock.advance(4_000)
  t.equal(visits.size, 250)
  await clock.stall(60_000)
  t.equal(visits.size, 250)
  await clock.advance(3_000)
  t.equal(visits.size, 1_000)
  t.ok([...visits.values()].every((times) => times.length === 1))
  sweep.stop()
})

t.test('changes of the period do not put a round off', async (t) => {
  for (const count of [1, 1_000]) {
    const clock = new ManualClock()
    const { sweep, visits } = visiting(clock, count, PERIOD)
    for (let reload = 0; reload < 30; reload++) {
      await clock.advance(10_000)
      sweep.every = PERIOD + (reload % 2 === 0 ? 2 : 0)
    }
    for (const times of visits.values()) if (times.length < 18) t.fail(`${count}: ${times.join()}`)
    t.equal(visits.size, count)
    sweep.every = 1_000_000
    await clock.advance(PERIOD)
    visits.clear()
    sweep.every = 10
    await clock.advance(10)
    t.equal(visits.size, count, 'a shorter one counts at once')
    sweep.every = false
    t.equal(clock.pending, 0)
    sweep.every = 10
    t.equal(clock.pending, 1)
    sweep.stop()
    sweep.every = 20
    t.equal(clock.pending, 0, 'stopped is stopped')
  }
})

t.test('a visit may stop it', async (t) => {
  const clock = new ManualClock()
  const { tunnels, sweep } = visiting(clock, 1_000, PERIOD)
  sweep.stop()
  const own = new Sweep(clock, tunnels, () => own.stop())
  own.every = PERIOD
  own.start()
  await clock.advance(PERIOD)
  t.equal(clock.pending, 0)
  own.start()
  t.equal(clock.pending, 1)
  own.stop()
})
