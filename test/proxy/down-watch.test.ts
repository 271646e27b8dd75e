import t from 'tap'
import { type BackendTunnelsEvent, Events } from '../../lib/core/events.ts'
import { DownWatch } from '../../lib/proxy/down-watch.ts'
import { type Tunnel } from '../../lib/proxy/tunnel.ts'
import { Tunnels } from '../../lib/proxy/tunnels.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend } from '../support/plain.ts'
import { seededRandom } from '../support/random.ts'

const closes = () => ({ code: 1012, order: 'oldest-first' }) as const

/** A watch over one backend, which is down, and tunnels that note what happens to them. */
function watching() {
  const clock = new ManualClock()
  const backend = plainBackend('a')
  const tunnels = new Tunnels()
  const asked: number[] = []
  const ended: { id: number; at: number; how: unknown }[] = []
  const open = (answered: () => boolean) => {
    const id = tunnels.nextId()
    const end = (how: unknown) => {
      tunnel.ending = true
      ended.push({ id, at: clock.now(), how })
      tunnels.delete(tunnel as unknown as Tunnel)
    }
    const tunnel = {
      ...{ id, backend, idle: 0, ending: false },
      backendPulse: {
        ask: () => asked.push(id),
        get answered() {
          return answered()
        },
      },
      close: (cause: string, { code, reason }: { code: number; reason: string }) =>
        end([cause, code, reason]),
      cutBackend: (cause: string) => end([cause, 'cut']),
    }
    tunnels.add(tunnel as unknown as Tunnel)
    return id
  }
  /** A peer has closed it. */
  const leave = (id: number) => {
    Object.assign(tunnels.get(id)!, { ending: true })
  }
  const events = new Events((error) => {
    throw error
  })
  const told: Omit<BackendTunnelsEvent, 'backend' | 'pool'>[] = []
  events.on('backend:tunnels', ({ onDown, kept, closing, over }) =>
    told.push({ onDown, kept, closing, over }),
  )
  const watch = new DownWatch({ clock, random: seededRandom(7), events, tunnels, closes })
  backend.health = 'down'
  return { clock, backend, watch, open, asked, ended, told, leave }
}

const silent = () => false
const talking = () => true

t.test('drain: who is silent for 5 s is closed within 5 s more, evenly; who answers lives on', async (t) => {
  const { clock, backend, watch, open, asked, ended } = watching()
  for (let i = 0; i < 100; i++) open(silent)
  const lively = open(talking)
  watch.review(backend, 'drain')
  t.equal(asked.length, 101)
  await clock.advance(4_999)
  t.strictSame(ended, [])
  await clock.advance(5_001)
  t.equal(ended.length, 100)
  t.strictSame(new Set(ended.map(({ how }) => String(how))), new Set(['down,1012,backend down']))
  for (let second = 5; second < 10; second++) {
    const inIt = ended.filter(({ at }) => Math.floor(at / 1_000) === second).length
    t.ok(inIt >= 18 && inIt <= 22, `${inIt} in second ${second}`)
  }
  await clock.advance(5_000)
  t.strictSame(asked.slice(101), [lively], 'asked again after 15 s')
  await clock.advance(150_000)
  t.equal(asked.length, 101 + 11)
  t.equal(ended.length, 100)
  watch.stop()
  t.equal(clock.pending, 0)
})

t.test('drain: the first round is told, a later one if it closes somebody', async (t) => {
  const { clock, backend, watch, open, told } = watching()
  let answers = true
  open(talking)
  open(() => answers)
  watch.review(backend, 'drain')
  await clock.advance(4_999)
  t.strictSame(told, [])
  await clock.advance(1)
  t.strictSame(told.splice(0), [{ onDown: 'drain', kept: 2, closing: 0, over: 5_000 }])
  await clock.advance(45_000)
  t.strictSame(told, [], 'all is as it was')
  answers = false
  await clock.advance(60_000)
  t.strictSame(told.splice(0), [{ onDown: 'drain', kept: 1, closing: 1, over: 5_000 }])
  watch.stop()
})

t.test('a tunnel that has ended when the answers are counted is none of ours', async (t) => {
  const { clock, backend, watch, open, told, ended, leave } = watching()
  const id = open(silent)
  watch.review(backend, 'drain')
  leave(id)
  await clock.advance(60_000)
  t.strictSame([told, ended], [[], []])
  watch.stop()
})

t.test('drain: an answer that comes late, but before its turn, counts', async (t) => {
  const { clock, backend, watch, open, ended } = watching()
  let late = false
  for (let i = 0; i < 10; i++) open(() => late)
  watch.review(backend, 'drain')
  await clock.advance(7_500)
  const before = ended.length
  t.ok(before > 0 && before < 10, `${before} were closed`)
  late = true
  await clock.advance(60_000)
  t.equal(ended.length, before)
  watch.stop()
})

t.test(
  'drain: a tunnel that opens meanwhile is asked in the next round, not closed in this one',
  async (t) => {
    const { clock, backend, watch, open, asked, ended } = watching()
    open(silent)
    watch.review(backend, 'drain')
    await clock.advance(6_000)
    const late = open(silent)
    await clock.advance(8_999)
    t.strictSame([asked.includes(late), ended.length], [false, 1])
    await clock.advance(1)
    t.ok(asked.includes(late))
    await clock.advance(10_000)
    t.strictSame(
      ended.map(({ id }) => id),
      [1, late],
    )
    watch.stop()
  },
)

t.test('drain: once the silent ones are closed, it only waits for the next round', async (t) => {
  const { clock, backend, watch, open, ended } = watching()
  for (let i = 0; i < 3; i++) open(silent)
  watch.review(backend, 'drain')
  await clock.advance(10_000)
  t.strictSame([ended.length, clock.pending], [3, 1])
  watch.stop()
})

t.test('drain: after a stall of this process everybody is asked anew', async (t) => {
  const { clock, backend, watch, open, asked, ended } = watching()
  let heard = false
  open(() => heard)
  watch.review(backend, 'drain')
  await clock.stall(3_600_000)
  t.strictSame([asked.length, ended.length], [2, 0])
  await clock.advance(5_001)
  await clock.stall(3_600_000)
  t.strictSame(ended, [], 'nobody is closed after a stall either')
  heard = true
  await clock.advance(14_000)
  t.strictSame([asked.length, ended.length], [3, 0])
  watch.stop()
})

for (const [what, change] of [
  ['comes up', (backend) => (backend.health = 'up')],
  ['is drained', (backend) => (backend.adminState = 'draining')],
  ['has left', (backend) => (backend.adminState = 'disabled')],
] satisfies [string, (backend: ReturnType<typeof plainBackend>) => unknown][]) {
  t.test(`drain: it stops at once when the backend ${what}`, async (t) => {
    const { clock, backend, watch, open, ended } = watching()
    for (let i = 0; i < 10; i++) open(silent)
    watch.review(backend, 'drain')
    await clock.advance(7_500)
    const before = ended.length
    t.ok(before > 0 && before < 10, `${before} were closed`)
    change(backend)
    watch.review(backend, 'drain')
    t.equal(clock.pending, 0)
  })
}

t.test('drained and restored while it is down, a backend is asked anew', async (t) => {
  const { clock, backend, watch, open, asked } = watching()
  open(silent)
  watch.review(backend, 'drain')
  backend.adminState = 'draining'
  watch.review(backend, 'drain')
  backend.adminState = 'active'
  watch.review(backend, 'drain')
  t.equal(asked.length, 2)
  watch.stop()
  t.equal(clock.pending, 0)
  watch.review(backend, 'drain')
  t.equal(clock.pending, 0, 'after the end nothing begins')
})

t.test('keep does nothing; a change of mind counts at once, and a second look does not', async (t) => {
  const { clock, backend, watch, open, asked, ended, told } = watching()
  open(silent)
  watch.review(backend, 'keep')
  t.strictSame(told.splice(0), [{ onDown: 'keep', kept: 1, closing: 0, over: 0 }])
  await clock.advance(60_000)
  t.strictSame([asked.length, ended.length, clock.pending], [0, 0, 0])
  watch.review(backend, 'drain')
  t.equal(asked.length, 1)
  watch.review(backend, 'drain')
  t.equal(asked.length, 1)
  watch.review(backend, 'cut')
  t.strictSame(
    ended.map(({ how }) => how),
    [['down', 'cut']],
  )
  t.strictSame(told.splice(0), [{ onDown: 'cut', kept: 0, closing: 1, over: 0 }])
  t.equal(clock.pending, 0)
  open(talking)
  watch.review(backend, 'cut')
  t.equal(ended.length, 1, 'what has opened since was answered')
})

t.test('a backend that is not down is left alone', async (t) => {
  const { clock, backend, watch, open, asked, ended } = watching()
  open(silent)
  for (const health of ['up', 'suspect'] as const) {
    backend.health = health
    watch.review(backend, 'cut')
    watch.review(backend, 'drain')
  }
  t.strictSame([asked.length, ended.length, clock.pending], [0, 0, 0])
})
