import t from 'tap'
import { type Probe } from '../../lib/health/probe.ts'
import { monitored } from '../support/monitored.ts'

/** One backend of which probes and traffic report what `well` says. */
function flapping({ debounce, interval }: { debounce: number; interval: number }) {
  const state = { well: true }
  const goodAt: number[] = []
  const probe: Probe = async (_backend, { clock }) => {
    if (!state.well) throw new Error('answered 500')
    goodAt.push(clock.now())
  }
  const made = monitored(['a'], { probe, debounce, interval: { up: interval } })
  const backend = made.backends[0]!
  const spend = async (milliseconds: number, { well, traffic }: { well: boolean; traffic: boolean }) => {
    state.well = well
    for (let passed = 0; passed < milliseconds; passed += 100) {
      if (!well && traffic) made.monitor.report(backend, 'connect ECONNREFUSED')
      await made.clock.advance(100)
    }
  }
  return { ...made, backend, spend, goodAt }
}

for (const debounce of [10_000, 1_000, 0]) {
  for (const interval of [200, 1_000, 10_000]) {
    for (const traffic of [false, true]) {
      const what = `debounce ${debounce}, interval ${interval}, ${traffic ? 'with' : 'without'} traffic`
      t.test(
        `a backend that alternates every second for a minute changes six times at most: ${what}`,
        async (t) => {
          const { changes, told, backend, spend, monitor, clock } = flapping({ debounce, interval })
          await spend(2_000, { well: true, traffic })
          for (let second = 0; second < 60; second++) await spend(1_000, { well: second % 2 === 1, traffic })
          t.ok(changes.length <= 6, changes.join(' '))
          t.ok(told.length <= 6, told.map(({ name }) => name).join(' '))
          await spend(700_000, { well: true, traffic })
          t.equal(backend.health, 'up', 'one that has come to rest is used again')
          monitor.stop()
          t.equal(clock.pending, 0)
        },
      )
    }
  }
}

t.test('what traffic says of one whose probes are well is no outage', async (t) => {
  const { told, backend, monitor, clock } = flapping({ debounce: 10_000, interval: 10_000 })
  await clock.advance(2_000)
  for (let failure = 0; failure < 72; failure++) {
    monitor.report(backend, 'no response head within 60 s')
    t.equal(backend.health, 'suspect')
    await clock.advance(1)
    t.equal(backend.health, 'up')
    await clock.advance(50_000)
  }
  t.same(new Set(told.map(({ name }) => name)), new Set(['backend:suspect']))
})

/** Three outages soon after one another: the next return takes ten seconds. */
async function held({ interval }: { interval: number }) {
  const made = flapping({ debounce: 0, interval })
  const { backend, spend } = made
  await spend(1_000, { well: true, traffic: false })
  for (const well of [interval, interval + 6_000, 0]) {
    await spend(interval * 1.2, { well: false, traffic: false })
    await spend(well * 1.2, { well: true, traffic: false })
  }
  t.match(backend, { health: 'down', trouble: /must be well for 10 s/ })
  return made
}

t.test('nor does it put off the return of one that has been out', async (t) => {
  const { backend, monitor, spend } = await held({ interval: 100 })
  for (let second = 0; second < 11; second++) {
    t.equal(backend.health, 'down')
    await spend(1_000, { well: true, traffic: false })
    monitor.report(backend, 'no response head within 60 s')
    if (backend.health !== 'down') break
  }
  await spend(100, { well: true, traffic: false })
  t.equal(backend.health, 'up')
})

t.test('but the one on its way back is asked soon, and has to agree', async (t) => {
  const { backend, monitor, spend, clock } = await held({ interval: 8_000 })
  while (backend.lastProbe!.failure !== null) await spend(100, { well: true, traffic: false })
  await spend(1_000, { well: true, traffic: false })
  const askedAt = backend.lastProbe!.at
  monitor.report(backend, 'read ECONNRESET')
  await spend(100, { well: true, traffic: false })
  t.ok(backend.lastProbe!.at > askedAt && backend.lastProbe!.failure === null)
  monitor.report(backend, 'read ECONNRESET')
  await spend(100, { well: false, traffic: false })
  t.equal(backend.lastProbe!.failure, 'answered 500')
  const failedAt = clock.now()
  while (backend.health !== 'up') await spend(100, { well: true, traffic: false })
  t.ok(clock.now() - failedAt > 10_000, 'from the next good probe on it must be well for as long again')
})

t.test('the reason says for how long it must be well', async (t) => {
  const { told, backend, spend } = flapping({ debounce: 0, interval: 100 })
  await spend(1_000, { well: true, traffic: false })
  for (let outage = 0; outage < 4; outage++) {
    await spend(1_000, { well: false, traffic: false })
    await spend(25_000, { well: true, traffic: false })
  }
  const downs = told.filter(({ name }) => name === 'backend:down').map(({ reason }) => reason)
  t.same(downs, [
    'probe: answered 500',
    'probe: answered 500 (flapping: must be well for 5 s)',
    'probe: answered 500 (flapping: must be well for 10 s)',
    'probe: answered 500 (flapping: must be well for 20 s)',
  ])
  t.equal(backend.health, 'up')
})

t.test('it is back as soon as the time is over, whatever the interval', async (t) => {
  const { backend, clock, spend, goodAt } = flapping({ debounce: 0, interval: 60_000 })
  await spend(1_000, { well: true, traffic: true })
  for (const [wait, hold] of [
    [60_000, 0],
    [75_000, 5_000],
  ] as const) {
    await spend(200, { well: false, traffic: true })
    t.equal(backend.health, 'down')
    const endedAt = clock.now()
    await spend(wait, { well: true, traffic: true })
    t.equal(backend.health, 'up')
    const first = goodAt.find((at) => at >= endedAt)!
    t.ok(Math.abs(backend.healthSince - first - hold) < 1e-6, `${hold} ms after the first good probe`)
  }
})

t.test('what has been is forgiven, a return for each minute that it is up', async (t) => {
  const { told, spend } = flapping({ debounce: 0, interval: 100 })
  await spend(1_000, { well: true, traffic: false })
  for (let outage = 0; outage < 5; outage++) {
    await spend(1_000, { well: false, traffic: false })
    await spend(65_000, { well: true, traffic: false })
  }
  t.same(
    new Set(told.map(({ reason }) => reason)),
    new Set(['probe: answered 500']),
    'rare outages are no flapping',
  )
})

t.test('a restore begins anew', async (t) => {
  const { backend, monitor, spend } = flapping({ debounce: 0, interval: 100 })
  await spend(1_000, { well: true, traffic: false })
  for (let outage = 0; outage < 3; outage++) {
    await spend(1_000, { well: false, traffic: false })
    await spend(1_000, { well: true, traffic: false })
  }
  t.equal(backend.health, 'down')
  monitor.ask(backend)
  await spend(100, { well: true, traffic: false })
  t.equal(backend.health, 'up')
})
