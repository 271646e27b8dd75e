import t from 'tap'
import { type Backend, type BackendSettings } from '../../lib/core/backend.ts'
import { type BalancerEvents, Events } from '../../lib/core/events.ts'
import { EJECTION_DEFAULTS, type EjectionOptions } from '../../lib/health/ejection-options.ts'
import { type OpenTunnel } from '../../lib/health/early-closes.ts'
import { type Failure, Outliers, type TunnelConduct } from '../../lib/health/outliers.ts'
import { type Scope } from '../support/balancer.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend } from '../support/plain.ts'

const MINUTE = 60_000

function start(
  t: Scope,
  count = 4,
  options: Partial<EjectionOptions> = {},
  own: Partial<BackendSettings> = {},
) {
  const clock = new ManualClock()
  const events = new Events((error) => {
    throw error
  })
  const backends = Array.from({ length: count }, (_, index) => plainBackend(`b${index}`, own))
  const open = new Map<Backend, OpenTunnel[]>()
  const told: string[] = []
  const deps = {
    ...{ events, clock, random: () => 0, members: () => backends, onChange: () => {} },
    tunnelsOf: (backend: Backend) => open.get(backend) ?? [],
  }
  const outliers = new Outliers('default', { ...EJECTION_DEFAULTS, ...options }, deps)
  const ejected: BalancerEvents['backend:ejected'][] = []
  events.on('backend:ejected', (event) => {
    ejected.push(event)
    told.push(`${event.backend} out`)
  })
  events.on('backend:readmitted', ({ backend }) => told.push(`${backend} back`))
  const fail = (backend: Backend, times = 5, failure: Partial<Failure> = {}) => {
    const refused = { reason: 'refused', client: '::1', isUnreachable: true }
    for (let i = 0; i < times; i++) outliers.failed(backend, 'upgrade', { ...refused, ...failure })
  }
  /** Each of another client. */
  const breakOff = (backend: Backend, times = 5, conduct: Partial<TunnelConduct> = {}) => {
    const early = () => ({ age: 50, client: nextClient(), fault: 'cut', isGraceful: false })
    for (let i = 0; i < times; i++) outliers.tunnelEnded(backend, { ...early(), ...conduct })
  }
  let clients = 0
  const nextClient = () => `10.0.0.${1 + (clients++ % 250)}`
  t.teardown(() => {
    outliers.stop()
    if (clock.pending > 0) throw new Error('a timer is left')
  })
  return { clock, outliers, backends, a: backends[0]!, told, ejected, open, fail, breakOff }
}

/** @param backendIdle as old as it is: the backend has sent it nothing */
const witness = (age: number, backendIdle = age, ending = false): OpenTunnel => ({ age, backendIdle, ending })

t.test('five failures in a row, and it is out for a while', async (t) => {
  const { a, fail, clock, ejected, told } = start(t)
  await clock.advance(1_000)
  fail(a, 4)
  t.equal(a.ejectedUntil, undefined)
  fail(a, 1)
  t.equal(a.ejectedUntil, 11_000)
  t.same(ejected, [
    { backend: 'b0', pool: 'default', until: 11_000, reason: '5 failures in a row, the last: refused' },
  ])
  fail(a, 50)
  t.equal(ejected.length, 1, 'what comes in still changes nothing')
  await clock.advance(9_999)
  t.same(told, ['b0 out'])
  await clock.advance(1)
  t.same(told, ['b0 out', 'b0 back'])
  t.equal(a.ejectedUntil, undefined)
  fail(a, 4)
  t.equal(a.ejectedUntil, undefined, 'it begins anew')
})

t.test('an answer ends a run of its own kind', async (t) => {
  const { a, fail, outliers } = start(t)
  fail(a, 4)
  outliers.answered(a, 'upgrade', 101, '::1')
  fail(a, 4)
  outliers.answered(a, 'request', 200, '::1')
  outliers.answered(a, 'upgrade', 404, '::1')
  t.equal(a.ejectedUntil, undefined)
  fail(a, 1)
  t.not(a.ejectedUntil, undefined, 'that HTTP works says nothing of handshakes, nor does a refusal')
})

t.test('failures that are far apart are no run', async (t) => {
  const { a, fail, breakOff, clock } = start(t)
  for (let day = 0; day < 30; day++) {
    fail(a, 1)
    breakOff(a, 1)
    await clock.advance(24 * 60 * MINUTE)
  }
  t.equal(a.ejectedUntil, undefined)
  for (const bring of [fail, breakOff]) {
    for (let i = 0; i < 5; i++) {
      t.equal(a.ejectedUntil, undefined)
      await clock.advance(5 * MINUTE)
      bring(a, 1)
    }
    t.not(a.ejectedUntil, undefined, 'rare, but nothing else')
    await clock.advance(10 * MINUTE)
  }
})

t.test('a pool whose handshakes are refused now and then loses nobody', async (t) => {
  const { a, fail, outliers } = start(t)
  for (let i = 0; i < 100; i++) {
    fail(a, 4)
    outliers.served(a, 'upgrade')
  }
  t.equal(a.ejectedUntil, undefined)
})

t.test('twice as long each time, up to the longest; chance only shortens it', async (t) => {
  const { a, fail, clock } = start(t, 4, { maxTime: 60_000 })
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    fail(a)
    const time = a.ejectedUntil! - clock.wallTime()
    times.push(time)
    await clock.advance(time)
  }
  t.same(times, [10_000, 20_000, 40_000, 60_000, 60_000])
})

t.test('good conduct is rewarded, a step for each time as long as it was out', async (t) => {
  const { a, fail, clock } = start(t)
  const eject = async () => {
    fail(a)
    const time = a.ejectedUntil! - clock.wallTime()
    await clock.advance(time)
    return time
  }
  t.same([await eject(), await eject(), await eject()], [10_000, 20_000, 40_000])
  await clock.advance(40_000)
  t.equal(await eject(), 40_000, 'one step less, and this one')
  await clock.advance(60_000)
  t.equal(await eject(), 20_000, 'two steps')
  await clock.advance(20 * MINUTE)
  t.equal(await eject(), 10_000, 'all is forgotten')
})

t.test('never more than the share, rounded down, and never the last one', async (t) => {
  for (const [count, maxShare, most] of [
    [1, 0.5, 0],
    [2, 0.5, 1],
    [3, 0.5, 1],
    [5, 0.5, 2],
    [4, 1, 3],
    [100, 0.29, 29],
    [4, 0, 0],
  ] as const) {
    const { backends, fail } = start(t, count, { maxShare })
    for (let round = 0; round < 3; round++) for (const backend of backends) fail(backend)
    const out = backends.filter(({ ejectedUntil }) => ejectedUntil !== undefined)
    t.equal(out.length, most, `${most} of ${count}`)
  }
})

t.test('who is down, drained or of no weight does not make up for another', async (t) => {
  const { backends, fail, a } = start(t, 3, { maxShare: 1 })
  const [, down, drained] = backends
  down!.health = 'down'
  drained!.adminState = 'draining'
  fail(a)
  t.equal(a.ejectedUntil, undefined)
  down!.health = 'up'
  fail(a)
  t.not(a.ejectedUntil, undefined)
  t.equal(start(t, 2, {}, { weight: 0 }).a.ejectedUntil, undefined)
})

t.test('while it is suspect, its next probe decides', async (t) => {
  const { a, fail, outliers } = start(t)
  a.health = 'suspect'
  fail(a, 7)
  t.equal(a.ejectedUntil, undefined)
  outliers.probed(a, true)
  t.not(a.ejectedUntil, undefined, 'the probe says it is well, and is wrong')
})

t.test('an outage that the probe sees is left to health, and what failed in it is forgotten', async (t) => {
  const { a, fail, outliers, told } = start(t)
  a.health = 'suspect'
  fail(a, 7)
  outliers.probed(a, false)
  a.health = 'down'
  fail(a, 100)
  a.health = 'up'
  outliers.probed(a, true)
  outliers.probed(a, true)
  t.same(told, [])
  fail(a, 5)
  t.same(told, ['b0 out'])
})

t.test('a backend that is restarted while it is out comes back with its probe', async (t) => {
  const { a, fail, outliers, told, clock } = start(t)
  fail(a)
  outliers.probed(a, true)
  t.same(told, ['b0 out'], 'that its probe is well is no news')
  outliers.probed(a, false)
  outliers.probed(a, true)
  t.same(told, ['b0 out', 'b0 back'])
  t.equal(clock.pending, 0)
})

t.test('WebSockets that are broken off early, one after the other', async (t) => {
  const { a, breakOff, clock, ejected } = start(t)
  await clock.advance(1_000)
  breakOff(a, 4)
  breakOff(a, 100, { age: 5_000 })
  t.equal(a.ejectedUntil, undefined, 'late is not early')
  breakOff(a, 1)
  t.match(ejected, [{ reason: '5 failures in a row, the last: cut after 50 ms' }])
})

t.test('one that holds, or is closed as it should be, ends the run; one from before does not', async (t) => {
  const { a, breakOff, clock, outliers } = start(t)
  const end = (conduct: Partial<TunnelConduct>) =>
    outliers.tunnelEnded(a, { age: 1_000, client: '::1', fault: undefined, isGraceful: true, ...conduct })
  await clock.advance(MINUTE)
  breakOff(a, 4)
  await clock.advance(10_000)
  end({ age: 30_000 })
  end({ age: 20_000, fault: 'cut', isGraceful: false })
  end({ isGraceful: false })
  breakOff(a, 1)
  t.not(a.ejectedUntil, undefined, 'older than the run, or ended by somebody else')
  await clock.advance(10_000)

  for (const conduct of [{}, { age: 6_000, isGraceful: false }, { age: 6_000, fault: 'cut' }]) {
    breakOff(a, 4)
    await clock.advance(10_000)
    end(conduct)
    breakOff(a, 1)
    t.equal(a.ejectedUntil, undefined, JSON.stringify(conduct))
    end({ age: 0 })
    outliers.tunnelEnded(a, { age: 1, client: '::1', fault: undefined, isGraceful: true })
    await clock.advance(1_000)
    end({ age: 1 })
  }
})

t.test(
  'a client that has itself thrown out does not have the backend ejected, whoever else is there',
  async (t) => {
    for (const addresses of [
      ['10.6.6.6'],
      Array.from({ length: 200 }, (_, index) => `2001:db8:0:7::${index}`),
      ['10.6.6.6', '::ffff:10.6.6.6', '::ffff:a06:606'],
    ]) {
      const { a, breakOff, clock } = start(t)
      await clock.advance(MINUTE)
      for (let i = 0; i < 600; i++) breakOff(a, 1, { client: addresses[i % addresses.length]! })
      t.equal(a.ejectedUntil, undefined, `${addresses.length} addresses of one network`)
      breakOff(a, 1, { client: '2001:db8:0:8::1' })
      t.not(a.ejectedUntil, undefined, 'another network sees it too')
    }
  },
)

t.test(
  'nor by requests that hang or are cut, from one network; a refused connection is no doing of a client',
  async (t) => {
    const { a, fail } = start(t)
    const hang = { reason: 'no answer in time', isUnreachable: false }
    fail(a, 100, { ...hang, client: '2001:db8::1' })
    fail(a, 100, { ...hang, client: '2001:db8::2' })
    fail(a, 4)
    t.equal(a.ejectedUntil, undefined)
    fail(a, 1, { ...hang, client: '2001:db8:1::1' })
    t.not(a.ejectedUntil, undefined)

    const { a: other, fail: failOther } = start(t)
    failOther(other, 5)
    t.not(other.ejectedUntil, undefined)
  },
)

t.test('who else came meanwhile and is still there speaks for the backend', async (t) => {
  const { a, breakOff, clock, open } = start(t)
  await clock.advance(MINUTE)
  breakOff(a, 4)
  await clock.advance(100)
  open.set(a, [witness(70)])
  breakOff(a, 1)
  t.equal(a.ejectedUntil, undefined)

  breakOff(a, 4)
  await clock.advance(100)
  open.set(a, [witness(40), witness(40), witness(59_000), witness(90, 0, true)])
  breakOff(a, 1)
  t.not(a.ejectedUntil, undefined, 'not who may be next, was there before, or is leaving')
})

t.test('older ones that get messages speak for it, each against one network', async (t) => {
  const { a, breakOff, clock, open } = start(t)
  await clock.advance(MINUTE)
  open.set(a, [
    ...Array.from({ length: 6 }, () => witness(50_000, 10)),
    ...[witness(50_000, 20_000), witness(50_000, 10, true)],
  ])
  for (let i = 0; i < 100; i++) breakOff(a, 1, { client: `10.0.1.${i % 6}` })
  t.equal(a.ejectedUntil, undefined, 'six are well')
  breakOff(a, 1, { client: '10.0.2.1' })
  t.not(a.ejectedUntil, undefined, 'seven are not')
})

t.test('earlyClose: false does not look at WebSockets', async (t) => {
  const { a, breakOff } = start(t, 4, { earlyClose: false })
  breakOff(a, 50)
  t.equal(a.ejectedUntil, undefined)
})

t.test('errors by share, where that is asked for', async (t) => {
  const errors = { share: 0.5, min: 20, window: 10_000 }
  const { a, outliers, ejected, clock, fail } = start(t, 4, { errors })
  const answer = (status: number, times: number) => {
    for (let i = 0; i < times; i++) outliers.answered(a, 'request', status, `10.0.0.${i % 2}`)
  }
  answer(500, 19)
  t.equal(a.ejectedUntil, undefined, 'too few to say')
  answer(200, 19)
  t.equal(a.ejectedUntil, undefined, 'an answer that is well ejects nobody')
  answer(404, 2)
  answer(503, 1)
  t.equal(a.ejectedUntil, undefined, '20 of 41')
  answer(503, 1)
  t.match(ejected, [{ reason: '50 % of its answers are errors' }])
  await clock.advance(30_000)
  fail(a, 4)
  answer(200, 10)
  answer(500, 5)
  t.equal(a.ejectedUntil, undefined, '9 of 19')
  answer(500, 1)
  t.equal(ejected.length, 2, 'no answer at all is one too')

  const { a: other, outliers: off } = start(t)
  for (let i = 0; i < 1_000; i++) off.answered(other, 'request', 500, `10.0.0.${i % 9}`)
  t.equal(other.ejectedUntil, undefined, 'by default nobody asks')
})

t.test('errors of one network eject nobody, however many; of two they do, within the window', async (t) => {
  const errors = { share: 0.5, min: 20, window: 10_000 }
  const { a, outliers, clock } = start(t, 4, { errors })
  const answer = (client: string) => outliers.answered(a, 'request', 500, client)
  answer('10.0.0.1')
  await clock.advance(10_000)
  for (let i = 0; i < 100; i++) answer(`2001:db8::${i}`)
  t.equal(a.ejectedUntil, undefined)
  answer('10.0.0.1')
  t.not(a.ejectedUntil, undefined)
})

t.test('a reload that ends ejection readmits all; one that leaves is forgotten', async (t) => {
  const { backends, fail, outliers, told, clock } = start(t)
  const [a, b] = backends as [Backend, Backend]
  fail(a)
  fail(b)
  outliers.forget(b)
  t.equal(b.ejectedUntil, undefined)
  outliers.options = { ...EJECTION_DEFAULTS, failures: 2 }
  t.not(a.ejectedUntil, undefined, 'other options leave it where it is')
  outliers.options = undefined
  t.same(told, ['b0 out', 'b1 out', 'b0 back'])
  t.equal(clock.pending, 0)
  fail(a, 100)
  t.equal(a.ejectedUntil, undefined)
})
