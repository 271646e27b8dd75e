import t from 'tap'
import { closeAtPace } from '../../lib/proxy/close-at-pace.ts'
import { type Tunnel } from '../../lib/proxy/tunnel.ts'
import { ManualClock } from '../support/clock.ts'
import { seededRandom } from '../support/random.ts'

/** Tunnels that note when they were closed. */
function noting(clock: ManualClock, count: number) {
  const closedAt: number[] = []
  const open = Array.from(
    { length: count },
    () => ({ close: () => closedAt.push(clock.now()) }) as unknown as Tunnel,
  )
  return { open, closedAt }
}

const how = { cause: 'drain', over: 10_000, order: 'oldest-first', code: 1012, reason: 'deploy' } as const

t.test('closes are spread evenly: in no second more than 1.5 times the mean', async (t) => {
  const clock = new ManualClock()
  const { open, closedAt } = noting(clock, 1_000)
  closeAtPace(open, how, { clock, random: seededRandom(5) })
  await clock.advance(10_000)
  t.equal(closedAt.length, 1_000)
  t.equal(clock.pending, 0, 'nobody comes late, so nobody is looked for')
  for (let second = 0; second < 10; second++) {
    const closed = closedAt.filter((at) => Math.floor(at / 1_000) === second).length
    t.ok(closed > 50 && closed < 150, `${closed} in second ${second}`)
  }
  const gaps = new Set(closedAt.slice(1).map((at, i) => Math.round((at - closedAt[i]!) * 10)))
  t.ok(gaps.size > 50, 'and there is no beat')
})

t.test('what opens meanwhile is closed at the end', async (t) => {
  const clock = new ManualClock()
  const first = noting(clock, 2)
  const late = noting(clock, 1)
  const latecomers = () => late.open
  const pace = closeAtPace(first.open, { ...how, latecomers }, { clock, random: () => 0.5 })
  await clock.advance(10_000)
  t.strictSame(first.closedAt, [2_500, 7_500])
  t.strictSame(late.closedAt, [10_000])
  await clock.advance(500)
  t.strictSame(late.closedAt, [10_000, 10_250, 10_500], 'and so are those that are even later')
  pace.cancel()
  t.equal(clock.pending, 0)
})

t.test('cancelled, it closes no more and leaves no timer', async (t) => {
  const clock = new ManualClock()
  const { open, closedAt } = noting(clock, 10)
  const pace = closeAtPace(open, how, { clock, random: () => 0 })
  await clock.advance(4_500)
  pace.cancel()
  await clock.advance(60_000)
  t.equal(closedAt.length, 5)
  t.equal(clock.pending, 0)
})

t.test('over 0, all are closed at once', async (t) => {
  const clock = new ManualClock()
  const { open, closedAt } = noting(clock, 3)
  closeAtPace(open, { ...how, over: 0 }, { clock, random: () => 0.9 })
  await clock.advance(0)
  t.strictSame(closedAt, [0, 0, 0])
})

t.test('slots shorter than any timer: the pace holds', async (t) => {
  const clock = new ManualClock()
  const schedule = (ms: number, then: () => void) => clock.schedule(Math.max(1, Math.ceil(ms)), then)
  const coarse = { now: () => clock.now(), wallTime: () => clock.wallTime(), schedule }
  const { open, closedAt } = noting(clock, 50_000)
  closeAtPace(open, how, { clock: coarse, random: seededRandom(5) })
  await clock.advance(5_000)
  t.ok(closedAt.length > 24_900 && closedAt.length < 25_100, `${closedAt.length} after half of the time`)
  await clock.advance(5_010)
  t.equal(closedAt.length, 50_000)
})

t.test('after a stall of the process, what is left is spread over the time that is left', async (t) => {
  const clock = new ManualClock()
  const { open, closedAt } = noting(clock, 1_000)
  let stalled = 0
  const stalling = {
    now: () => clock.now() + stalled,
    wallTime: () => clock.wallTime(),
    schedule: (ms: number, then: () => void) => clock.schedule(ms, then),
  }
  const close = open[100]!.close.bind(open[100])
  open[100]!.close = (...how) => {
    stalled = 3_000
    close(...how)
  }
  closeAtPace(open, how, { clock: stalling, random: seededRandom(5) })
  await clock.advance(7_000)
  t.equal(closedAt.length, 1_000, 'all within the time')
  for (let second = 1; second < 7; second++) {
    const closed = closedAt.filter((at) => Math.floor(at / 1_000) === second).length
    t.ok(closed > 100 && closed < 225, `${closed} in second ${second}, 900 being left for six`)
  }
})

t.test('whose turn has come is looked at once more', async (t) => {
  const clock = new ManualClock()
  const { open, closedAt } = noting(clock, 10)
  let still = true
  const pace = closeAtPace(open, { ...how, still: () => still }, { clock, random: () => 0 })
  await clock.advance(4_500)
  still = false
  await clock.advance(20_000)
  pace.cancel()
  t.equal(closedAt.length, 5)
})

t.test('a process that is always late keeps the pace', async (t) => {
  const clock = new ManualClock()
  const schedule = (ms: number, then: () => void) => clock.schedule(ms + 200, then)
  const late = { now: () => clock.now(), wallTime: () => clock.wallTime(), schedule }
  const { open, closedAt } = noting(clock, 1_000)
  closeAtPace(open, how, { clock: late, random: seededRandom(5) })
  await clock.advance(10_500)
  t.equal(closedAt.length, 1_000)
  for (let second = 1; second < 10; second++) {
    const closed = closedAt.filter((at) => Math.floor(at / 1_000) === second).length
    t.ok(closed > 50 && closed < 150, `${closed} in second ${second}`)
  }
})
