import t from 'tap'
import { type Probe } from '../../lib/health/probe.ts'
import { type Rhythm } from '../../lib/health/options.ts'
import { settled } from '../support/clock.ts'
import { monitored } from '../support/monitored.ts'

const INTERVAL = 10_000

/** A thousand backends whose probes are counted by the tenth of a second in which they begin. */
function crowd(
  count: number,
  { interval = { up: INTERVAL }, probe }: { interval?: Rhythm; probe?: Probe } = {},
) {
  const at: number[] = []
  const counting: Probe = (backend, context) => {
    at.push(context.clock.now())
    return probe ? probe(backend, context) : Promise.resolve()
  }
  const ids = Array.from({ length: count }, (_, index) => `b${index}`)
  const made = monitored(ids, { probe: counting, interval })
  const histogram = (from: number, to: number) => {
    const counts = new Array<number>((to - from) / 100).fill(0)
    for (const time of at) if (time >= from && time < to) counts[Math.floor((time - from) / 100)]!++
    return counts
  }
  return { ...made, at, histogram }
}

t.test('a thousand backends: about ten probes in each tenth of a second, for five intervals', async (t) => {
  const { clock, monitor, histogram } = crowd(1_000)
  await clock.advance(5 * INTERVAL)
  const first = histogram(0, INTERVAL)
  t.ok(Math.max(...first) <= 12, `the first round: ${Math.max(...first)} at most`)
  const all = histogram(0, 5 * INTERVAL)
  t.equal(all.length, 500)
  t.ok(Math.max(...all) <= 30, `${Math.max(...all)} at most`)
  const seconds = Array.from({ length: 50 }, (_, second) =>
    all.slice(second * 10, second * 10 + 10).reduce((sum, count) => sum + count, 0),
  )
  t.ok(Math.min(...seconds) >= 60 && Math.max(...seconds) <= 140, `a second: ${seconds.join(' ')}`)
  monitor.stop()
  t.equal(clock.pending, 0)
})

t.test('a few are known within a second, and spread over the interval from then on', async (t) => {
  const { clock, at, monitor } = crowd(5)
  await clock.advance(1_000)
  t.equal(at.length, 5)
  await clock.advance(INTERVAL)
  const next = at.slice(5).map((time) => Math.floor((time - 1_000) / (INTERVAL / 5)))
  t.same(next, [0, 1, 2, 3, 4], 'each in its fifth')
  monitor.stop()
})

t.test('a hundred with a long interval: within a second, then far apart', async (t) => {
  const { clock, histogram, monitor } = crowd(100, { interval: { up: 100_000 } })
  await clock.advance(101_000)
  t.equal(
    histogram(0, 1_000).reduce((sum, count) => sum + count),
    100,
  )
  t.ok(Math.max(...histogram(1_000, 101_000)) <= 3)
  monitor.stop()
})

t.test('after a stall of this process they come together once, and not again', async (t) => {
  const { clock, histogram, monitor } = crowd(1_000)
  await clock.advance(INTERVAL + 5_000)
  await clock.stall(30_000)
  await clock.advance(2 * INTERVAL)
  t.ok(Math.max(...histogram(45_100, 65_000)) <= 40, `${Math.max(...histogram(45_100, 65_000))} at most`)
  monitor.stop()
})

t.test('after an outage of all of them too', async (t) => {
  let well = true
  const probe = () => (well ? Promise.resolve() : Promise.reject(new Error('unreachable')))
  const { clock, histogram, backends, monitor } = crowd(300, { probe })
  await clock.advance(INTERVAL)
  well = false
  for (const backend of backends) monitor.report(backend, 'unreachable')
  await clock.advance(30_000)
  well = true
  await clock.advance(60_000)
  const late = histogram(60_000, 100_000)
  t.ok(Math.max(...late) <= 20, `${Math.max(...late)} at most`)
  t.ok(backends.every(({ health }) => health === 'up'))
  monitor.stop()
})

t.test('with all of them hanging 256 are asked at a time; the others wait and have not failed', async (t) => {
  let running = 0
  let most = 0
  const probe: Probe = (_backend, { signal }) =>
    new Promise((_resolve, reject) => {
      most = Math.max(most, ++running)
      signal.addEventListener('abort', () => {
        running--
        reject(new Error('gone'))
      })
    })
  const { clock, backends, at, monitor } = crowd(1_000, { interval: { up: 500 }, probe })
  await clock.advance(4_000)
  t.equal(most, 256)
  t.equal(at.length, 256)
  t.ok(backends.every(({ health }) => health === 'up'))
  await clock.advance(40_000)
  t.equal(most, 256)
  t.ok(
    backends.every(({ health }) => health !== 'up'),
    'each had its turn',
  )
  const asked = at.length
  monitor.stop()
  await settled()
  t.equal(at.length, asked, 'nobody begins as the others end')
  t.equal(running, 0)
  t.equal(clock.pending, 0)
})
