import t from 'tap'
import { PeakEwma } from '../../lib/core/ewma.ts'
import { ManualClock } from '../support/clock.ts'

t.test('it jumps to what is worse, and goes down with time', async (t) => {
  const clock = new ManualClock()
  const time = new PeakEwma(clock)
  t.equal(time.value, undefined)
  t.equal(time.trust, 0)
  time.observe(10)
  t.equal(time.value, 10)
  time.observe(500)
  t.equal(time.value, 500)
  time.observe(10)
  t.equal(time.value, 500, 'in the same moment: no time has passed')
  await clock.advance(10_000)
  time.observe(10)
  t.ok(Math.abs(time.value! - (10 + 490 / Math.E)) < 1e-6, `${time.value}`)
})

t.test('what is not renewed is trusted less, and forgotten after a minute', async (t) => {
  const clock = new ManualClock()
  const time = new PeakEwma(clock)
  time.observe(500)
  t.equal(time.trust, 1)
  await clock.advance(30_000)
  t.equal(time.trust, 0.5)
  t.equal(time.value, 500)
  await clock.advance(30_000)
  t.equal(time.trust, 0)
  t.equal(time.value, undefined)
  time.observe(3)
  t.equal(time.value, 3, 'nothing is left of what was before')
})
