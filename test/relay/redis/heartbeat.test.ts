import t from 'tap'
import { Heartbeat } from '../../../lib/relay/redis/heartbeat.ts'
import { type Reply } from '../../../lib/relay/session/evaluator.ts'
import { ManualClock, settled } from '../../support/clock.ts'

function bench() {
  const clock = new ManualClock()
  const asked: string[] = []
  const told: string[] = []
  const pings: number[] = []
  let pong = () => Promise.resolve()
  let answer = (command: string): Promise<Reply> => Promise.resolve(command === 'WAIT' ? 2 : 'OK')
  const heartbeat = new Heartbeat({
    clock,
    marker: { key: 'k', value: 'v' },
    ask: (args) => {
      asked.push(args.slice(0, 2).join(' '))
      return answer(args[0]!)
    },
    ping: () => {
      pings.push(clock.now())
      return pong()
    },
    well: () => told.push('well'),
    unwell: () => told.push('unwell'),
    hangs: (silence) => told.push(`hangs ${silence}`),
  })
  return {
    clock,
    asked,
    told,
    pings,
    heartbeat,
    answers: (next: typeof answer) => (answer = next),
    pongs: (next: typeof pong) => (pong = next),
  }
}

t.test('callers of one moment share a round', async (t) => {
  const { clock, asked, heartbeat } = bench()
  const answers = Promise.all([heartbeat.confirm(1), heartbeat.confirm(3), heartbeat.confirm(0)])
  await clock.advance(20)
  t.same(await answers, [2, 2, 2])
  t.same(asked, ['SET k', 'WAIT 3'])
})

t.test('who asks during a round gets the next one: what it wrote may come after the marker', async (t) => {
  const { clock, asked, heartbeat, answers } = bench()
  let reply: (value: Reply) => void = () => {}
  answers((command) =>
    command === 'WAIT' ? new Promise((resolve) => (reply = resolve)) : Promise.resolve('OK'),
  )
  const first = heartbeat.confirm(1)
  await clock.advance(0)
  const second = heartbeat.confirm(1)
  await clock.advance(100)
  t.same(asked, ['SET k', 'WAIT 1'])
  reply(1)
  t.equal(await first, 1)
  await clock.advance(20)
  t.same(asked, ['SET k', 'WAIT 1', 'SET k', 'WAIT 1'])
  reply(2)
  t.equal(await second, 2)
})

t.test('rounds are 20 ms apart while somebody waits, and half a second when nobody does', async (t) => {
  const { clock, asked, heartbeat } = bench()
  await clock.advance(0)
  t.same(asked, ['SET k'], 'the first one at once')
  await clock.advance(1_600)
  t.equal(asked.length, 4)
  void heartbeat.confirm(1)
  await clock.advance(0)
  t.equal(asked.length, 6)
  void heartbeat.confirm(1)
  await clock.advance(19)
  t.equal(asked.length, 6)
  await clock.advance(1)
  t.equal(asked.length, 8)
  heartbeat.stop(new Error('over'))
  t.equal(clock.pending, 0)
})

t.test('without the marker, the answer of WAIT is of an older write', async (t) => {
  const { clock, heartbeat, told, answers } = bench()
  answers((command) => (command === 'WAIT' ? Promise.resolve(2) : Promise.reject(new Error('NOREPLICAS'))))
  const confirmed = heartbeat.confirm(1)
  confirmed.catch(() => {})
  await clock.advance(0)
  await t.rejects(confirmed, /NOREPLICAS/)
  t.same(told, ['unwell'])
})

t.test('a master that is silent hangs; after a sleep of our own it is given its time again', async (t) => {
  const { clock, told, answers } = bench()
  answers(() => new Promise(() => {}))
  await clock.advance(0)
  await clock.advance(1_499)
  t.same(told, [])
  await clock.advance(1)
  t.same(told, ['hangs 1500'])

  const sleeper = bench()
  sleeper.answers(() => new Promise(() => {}))
  await sleeper.clock.advance(0)
  await sleeper.clock.stall(60_000)
  await settled()
  t.same(sleeper.told, [])
  await sleeper.clock.advance(1_500)
  t.same(sleeper.told, ['hangs 1500'])
})

t.test('the other connection hangs alone', async (t) => {
  const { clock, told, pings, pongs } = bench()
  await clock.advance(1_000)
  t.same(pings, [0, 500, 1_000])
  pongs(() => new Promise(() => {}))
  await clock.advance(1_999)
  t.same(pings, [0, 500, 1_000, 1_500], 'one question at a time')
  t.notOk(told.includes('hangs 1500'))
  await clock.advance(1)
  t.ok(told.includes('hangs 1500'))
})

t.test('what else comes on the other connection shows that it is only busy', async (t) => {
  const { clock, told, heartbeat, pongs } = bench()
  pongs(() => new Promise(() => {}))
  for (let second = 0; second < 10; second++) {
    await clock.advance(1_000)
    heartbeat.heard()
  }
  t.notOk(told.includes('hangs 1500'))
  await clock.advance(1_499)
  t.notOk(told.includes('hangs 1500'))
  await clock.advance(1)
  t.ok(told.includes('hangs 1500'))
})

t.test('at the end, who waits is rejected, and nothing goes on', async (t) => {
  const { clock, asked, heartbeat } = bench()
  const confirmed = heartbeat.confirm(1)
  heartbeat.stop(new Error('over'))
  await t.rejects(confirmed, /over/)
  await clock.advance(10_000)
  t.same(asked, [])
})
