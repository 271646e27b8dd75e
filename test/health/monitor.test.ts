import t from 'tap'
import { type Backend } from '../../lib/core/backend.ts'
import { type EventName } from '../../lib/core/events.ts'
import { type Dial, HealthMonitor } from '../../lib/health/monitor.ts'
import { WslbError } from '../../lib/core/errors.ts'
import { DEFAULT_HEALTH, type HealthOptions } from '../../lib/health/options.ts'
import { type ProbeContext } from '../../lib/health/probe.ts'
import { ManualClock, settled } from '../support/clock.ts'
import { hostileValues } from '../support/hostile-values.ts'
import { plainBackend } from '../support/plain.ts'

const unused: Dial = () => Promise.reject(new Error('unused'))

/** A monitor of one backend whose probes say what the test wants; jitter is at its middle. */
function watched(
  { dial = unused, ...options }: Partial<HealthOptions & { dial: Dial }> = {},
  onEvent: (event: object) => void = () => {},
) {
  const clock = new ManualClock()
  const backend = plainBackend('a')
  const told: string[] = []
  const state = { well: true, probes: 0, running: 0, most: 0 }
  const probe = async () => {
    state.probes++
    if (!state.well) throw new Error('answered 500')
  }
  const events = {
    emit: (name: EventName, event: object) => {
      onEvent(event)
      told.push('reason' in event ? `${name} ${String(event.reason)}` : name)
    },
    wants: () => true,
    after: <T>(change: () => T) => change(),
  }
  const deps = { events, clock, random: () => 0.5, dial }
  const monitor = new HealthMonitor('default', deps, () => {})
  const defaults = { ...DEFAULT_HEALTH, probe, ...options }
  const configure = (more: Partial<HealthOptions> = {}) =>
    monitor.watch(new Map([[backend, { ...defaults, ...more }]]))
  configure()
  return { clock, backend, told, state, monitor, configure }
}

t.test('the first failed probe makes an up backend suspect', async (t) => {
  const { clock, backend, told, state } = watched()
  state.well = false
  await clock.advance(600)
  t.equal(backend.health, 'suspect')
  t.same(told, ['backend:suspect probe: answered 500'])
})

t.test('whatever a probe throws is a failure', async (t) => {
  for (const [what, value] of Object.entries(hostileValues())) {
    const { clock, backend, monitor } = watched({ probe: () => Promise.reject(value) })
    await clock.advance(500)
    t.equal(backend.health, 'suspect', what)
    await clock.advance(20_000)
    t.equal(backend.health, 'down', what)
    monitor.stop()
  }
})

t.test('the first failure of traffic makes an up backend suspect, and is followed up at once', async (t) => {
  const { clock, backend, state, monitor } = watched()
  await clock.advance(5_000)
  t.equal(state.probes, 1)
  state.well = false
  monitor.report(backend, 'connect ECONNREFUSED')
  t.equal(backend.health, 'suspect')
  await clock.advance(0)
  t.equal(state.probes, 2)
})

t.test('one success clears a suspect: the debounce is cancelled and nothing more is announced', async (t) => {
  const { clock, backend, told, monitor } = watched()
  await clock.advance(5_000)
  monitor.report(backend, 'reset')
  await clock.advance(60_000)
  t.equal(backend.health, 'up')
  t.same(told, ['backend:suspect reset'])
})

t.test('still failing when the debounce has passed: down, once, with the reason', async (t) => {
  const { clock, backend, told, state, monitor } = watched()
  await clock.advance(5_000)
  state.well = false
  monitor.report(backend, 'reset')
  await clock.advance(9_999)
  t.equal(backend.health, 'suspect')
  t.ok(state.probes > 5, 'probes went on')
  await clock.advance(1)
  t.equal(backend.health, 'down')
  await clock.advance(100_000)
  t.same(told, ['backend:suspect reset', 'backend:down probe: answered 500'])
})

t.test('a burst of 10,000 failures starts one timer and announces one down', async (t) => {
  const { clock, backend, told, state, monitor } = watched()
  await clock.advance(5_000)
  state.well = false
  const before = clock.pending
  for (let failure = 0; failure < 10_000; failure++) monitor.report(backend, 'reset')
  t.equal(clock.pending, before + 1)
  await clock.advance(30_000)
  t.equal(told.filter((line) => line.startsWith('backend:down')).length, 1)
  t.equal(told.filter((line) => line.startsWith('backend:suspect')).length, 1)
})

t.test('a debounce of 0 declares at once', async (t) => {
  const { clock, backend, state } = watched({ debounce: 0 })
  state.well = false
  await clock.advance(600)
  t.equal(backend.health, 'down')
})

t.test('while down it is probed every interval; rise successes in a row bring it up', async (t) => {
  const { clock, backend, told, state } = watched({ rise: 3, debounce: 0 })
  state.well = false
  await clock.advance(600)
  const { probes } = state
  await clock.advance(50_000)
  t.equal(state.probes - probes, 5)
  state.well = true
  await clock.advance(20_000)
  state.well = false
  await clock.advance(10_000)
  state.well = true
  await clock.advance(20_000)
  t.equal(backend.health, 'down', 'two, a failure, two')
  await clock.advance(10_000)
  t.equal(backend.health, 'up')
  t.equal(told.at(-1), 'backend:up probe: answered 500')
})

t.test('a probe that never settles has failed at its timeout, and the next waits for it', async (t) => {
  let running = 0
  let most = 0
  const probe = (_backend: Backend, { signal }: ProbeContext) =>
    new Promise<void>((resolve) => {
      most = Math.max(most, ++running)
      signal.addEventListener('abort', () => {
        running--
        resolve()
      })
    })
  const { clock, backend, told } = watched({ probe, interval: { up: 1_000 }, timeout: 5_000 })
  await clock.advance(4_000)
  t.equal(backend.health, 'up')
  await clock.advance(1_600)
  t.equal(backend.health, 'suspect')
  await clock.advance(60_000)
  t.equal(most, 1)
  t.match(told[0], 'no answer within 5000 ms')
})

t.test('it stops with every timer, and a probe under way is aborted', async (t) => {
  let signal: AbortSignal | undefined
  const probe = (_backend: Backend, context: ProbeContext) => {
    signal = context.signal
    return new Promise<void>(() => {})
  }
  const { clock, backend, told, monitor } = watched({ probe })
  await clock.advance(600)
  monitor.report(backend, 'reset')
  monitor.stop()
  await settled()
  t.equal(signal?.aborted, true)
  t.equal(clock.pending, 0)
  t.same(told, ['backend:suspect reset'])
})

t.test('a probe that failed for want of something of ours says nothing: no health changes', async (t) => {
  const { clock, backend, told, state, monitor } = watched({
    rise: 2,
    probe: async (_backend, { dial }) => {
      state.probes++
      await (short ? dial() : undefined)
      if (!state.well) throw new Error('answered 500')
    },
    dial: () => Promise.reject(new WslbError('WSLB_NO_RESOURCES', 'connect EMFILE')),
  })
  let short = true
  await clock.advance(100_000)
  t.ok(state.probes > 5, 'probes go on')
  t.equal(backend.health, 'up')

  monitor.report(backend, 'reset')
  await clock.advance(100_000)
  t.equal(backend.health, 'suspect', 'nobody is down whom nobody could ask')
  short = state.well = false
  await clock.advance(20_000)
  t.equal(backend.health, 'down')

  state.well = true
  await clock.advance(10_000)
  short = true
  await clock.advance(50_000)
  t.equal(backend.health, 'down')
  short = false
  await clock.advance(10_000)
  t.equal(backend.health, 'up', 'the success before the shortage still counts')
  t.same(told, [
    'backend:suspect reset',
    'backend:down probe: answered 500',
    'backend:up probe: answered 500',
  ])
})

t.test('a backend that is asked for is probed at once, and often until it is up', async (t) => {
  const { clock, backend, state, monitor } = watched({
    interval: { up: 3_600_000 },
    debounce: 2_000,
    rise: 2,
  })
  await clock.advance(1_000)
  state.well = false
  monitor.ask(backend)
  await clock.advance(0)
  t.match([state.probes, backend.health], [2, 'suspect'])
  await clock.advance(2_000)
  t.match([backend.health, backend.trouble], ['down', 'probe: answered 500'])

  let up = false
  void monitor.whenUp(backend).then(() => (up = true))
  const before = state.probes
  await clock.advance(1_000)
  t.equal(state.probes, before + 6, 'one now, then one each tenth of the debounce')
  state.well = true
  await clock.advance(200)
  t.notOk(up, 'one success is not enough')
  await clock.advance(200)
  t.ok(up)
  const after = state.probes
  await clock.advance(1_000_000)
  t.equal(state.probes, after, 'nobody waits: the interval holds again')
})

t.test('what a probe under way finds out is not the answer to a later question', async (t) => {
  const answers: (() => void)[] = []
  const probe = () => new Promise<void>((resolve) => answers.push(resolve))
  const { clock, backend, monitor } = watched({ probe })
  await clock.advance(1_000)
  let up = false
  void monitor.whenUp(backend).then(() => (up = true))
  await clock.advance(0)
  t.equal(answers.length, 2)
  answers[0]!()
  await settled()
  t.notOk(up, 'up as it was said to be, it has not answered')
  answers[1]!()
  await settled()
  t.ok(up)
})

t.test('whoever waits for a backend is told when it is in vain', async (t) => {
  const { clock, backend, state, monitor } = watched()
  state.well = false
  const limit = new AbortController()
  const [late, gone] = [monitor.whenUp(backend, limit.signal), monitor.whenUp(backend)]
  await clock.advance(0)
  limit.abort(new Error('late'))
  await t.rejects(late, { message: 'late' })
  await t.rejects(monitor.whenUp(backend, limit.signal), { message: 'late' })
  monitor.forget(backend)
  await t.rejects(gone, { code: 'WSLB_CLOSED' })
  await monitor.whenUp(backend)
  t.equal(clock.pending, 0)
})

t.test('down only after so many failures in a row, whatever the debounce', async (t) => {
  const { clock, backend, told, state, monitor } = watched({
    fall: 3,
    debounce: 1_000,
    interval: { up: 4_000 },
  })
  await clock.advance(3_000)
  state.well = false
  for (let request = 0; request < 1_000; request++) monitor.report(backend, 'reset')
  // A tenth of the debounce apart: one failure seen by traffic, two by probes.
  await clock.advance(900)
  t.equal(backend.health, 'suspect', 'three failures, but no second yet')
  await clock.advance(100)
  t.match([backend.health, told.length], ['down', 2])
})

t.test(
  'a debounce that has passed waits for the last failure; a success in between begins anew',
  async (t) => {
    const options = { fall: 3, debounce: 1_000, interval: { up: 60_000, suspect: 2_000 } }
    const { clock, backend, state, monitor } = watched(options)
    await clock.advance(1_000)
    state.well = false
    monitor.report(backend, 'reset')
    for (let request = 0; request < 100; request++) monitor.report(backend, 'reset')
    await clock.advance(1_900)
    t.equal(backend.health, 'suspect', 'a burst is one failure, and the first probe the second')
    await clock.advance(200)
    t.equal(backend.health, 'down')
  },
)

t.test('each health has its interval', async (t) => {
  const interval = { up: 20_000, suspect: 500, down: 2_000 }
  const { clock, state, backend, monitor } = watched({ interval, debounce: 5_000 })
  await clock.advance(10_000)
  const count = async (milliseconds: number) => {
    const before = state.probes
    await clock.advance(milliseconds)
    return state.probes - before
  }
  t.equal(await count(60_000), 3)
  state.well = false
  await clock.advance(20_000)
  t.equal(backend.health, 'down')
  t.equal(await count(20_000), 10)
  state.well = true
  await clock.advance(2_000)
  t.equal(backend.health, 'up')
  state.well = false
  monitor.report(backend, 'reset')
  t.equal(await count(3_000), 7, 'one at once, and then')
  t.equal(backend.health, 'suspect')
})

t.test('how the last probe went is there to be seen, and since when it is what it is', async (t) => {
  const { clock, backend, state } = watched({ debounce: 0 })
  t.match([backend.lastProbe, backend.healthSince], [undefined, Number])
  await clock.advance(1_000)
  t.same(backend.lastProbe, { at: 500, duration: 0, failure: null })
  state.well = false
  await clock.advance(10_000)
  t.match(backend.lastProbe, { failure: 'answered 500' })
  t.match([backend.health, backend.healthSince], ['down', 6_000])
})

t.test('up tells for how long it was down', async (t) => {
  const events: object[] = []
  const { clock, state } = watched({ debounce: 0 }, (event) => void events.push(event))
  state.well = false
  await clock.advance(30_000)
  state.well = true
  await clock.advance(10_000)
  t.match(events.at(-1), { backend: 'a', reason: 'probe: answered 500', downFor: 35_100 })
})

t.test('other options count from the next probe on, and change no health', async (t) => {
  const asked: string[] = []
  const probeNamed = (name: string) => async () => {
    asked.push(name)
    if (name === 'old') throw new Error('old')
  }
  const { clock, backend, told, configure } = watched({ probe: probeNamed('old'), debounce: 0 })
  await clock.advance(1_000)
  t.equal(backend.health, 'down')
  const before = told.length
  configure({ probe: probeNamed('new') })
  t.match([backend.health, told.length], ['down', before])
  await clock.advance(1_000)
  t.match([backend.health, asked.at(-1)], ['up', 'new'])
})

t.test('a probe that cannot be made is a failed one', async (t) => {
  const { clock, backend } = watched({ probe: 'http', method: 'HEAD', expect: { body: 'x' } })
  await clock.advance(600)
  t.match([backend.health, backend.trouble], ['suspect', /write method: "GET"/])
})

t.test('a probe without an answer says what was asked', async (t) => {
  const silent: Dial = () => new Promise(() => {})
  for (const [options, reason] of [
    [{ probe: 'http' }, 'HEAD / not answered within 5000 ms (see health.path)'],
    [{ probe: 'http', expect: { body: 'ok' } }, 'GET / not answered within 5000 ms (see health.path)'],
    [{ probe: 'websocket', path: '/chat' }, 'WebSocket /chat not answered within 5000 ms (see health.path)'],
    [{ probe: 'tcp' }, 'no connection within 5000 ms'],
  ] as const) {
    const { clock, told, monitor } = watched({ ...options, dial: silent })
    await clock.advance(6_000)
    t.same(told, [`backend:suspect probe: ${reason}`])
    monitor.stop()
  }
})
