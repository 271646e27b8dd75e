import t from 'tap'
import { monitored } from '../support/monitored.ts'

/** One backend of which probes and traffic report what `well` says. */
function flapping({ debounce, interval }: { debounce: number; interval: number }) {
  const state = { well: true }
  const probe = () => (state.well ? Promise.resolve() : Promise.reject(new Error('answered 500')))
  const made = monitored(['a'], { probe, debounce, interval: { up: interval } })
  const backend = made.backends[0]!
  const spend = async (milliseconds: number, { well, traffic }: { well: boolean; traffic: boolean }) => {
    state.well = well
    for (let passed = 0; passed < milliseconds; passed += 100) {
      if (!well && traffic) made.monitor.report(backend, 'connect ECONNREFUSED')
      await made.clock.advance(100)
    }
  }
  return { ...made, backend, spend }
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

t.test('a probe that says well while traffic fails does not bring it back each time', async (t) => {
  const { changes, backend, monitor, clock } = flapping({ debounce: 10_000, interval: 10_000 })
  await clock.advance(2_000)
  for (let passed = 0; passed < 60_000; passed += 50) {
    monitor.report(backend, 'read ECONNRESET')
    await clock.advance(50)
  }
  t.ok(changes.length <= 6, changes.join(' '))
  t.not(backend.health, 'up')
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
  const { backend, clock, spend } = flapping({ debounce: 0, interval: 60_000 })
  await spend(1_000, { well: true, traffic: true })
  for (const wait of [60_000, 75_000]) {
    await spend(200, { well: false, traffic: true })
    t.equal(backend.health, 'down')
    await spend(wait, { well: true, traffic: true })
    if (wait === 60_000) t.equal(backend.health, 'up', 'a single outage costs no more than the next probe')
  }
  t.equal(backend.health, 'up')
  t.ok(clock.now() - backend.healthSince >= 0)
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
