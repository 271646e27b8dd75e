import t from 'tap'
import { Memory } from '../../lib/sticky/memory.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend } from '../support/plain.ts'

const red = plainBackend('red')
const blue = plainBackend('blue')

function memoryOf({ max = 3, ttl = 1_000 } = {}) {
  const clock = new ManualClock()
  return { clock, memory: new Memory(clock, { max, ttl }) }
}

t.test('an id leads to its backend, the last one it was given', async (t) => {
  const { memory } = memoryOf()
  memory.set('a', red)
  memory.set('b', blue)
  t.equal(memory.get('a'), red)
  t.equal(memory.get('b'), blue)
  t.equal(memory.get('c'), undefined)
  memory.set('a', blue)
  t.equal(memory.get('a'), blue)
  t.equal(memory.size, 2)
})

t.test('the id not seen for longest goes first', async (t) => {
  const { memory } = memoryOf({ max: 3 })
  for (const id of ['a', 'b', 'c']) memory.set(id, red)
  memory.get('a')
  memory.set('d', red)
  t.equal(memory.size, 3)
  t.equal(memory.get('b'), undefined, 'b was seen before a')
  t.equal(memory.get('a'), red)
  memory.set('e', red)
  t.equal(memory.get('c'), undefined)
  t.strictSame(
    ['a', 'd', 'e'].map((id) => memory.get(id)?.id),
    ['red', 'red', 'red'],
  )
})

t.test('an id lapses when it has not been seen for so long', async (t) => {
  const { memory, clock } = memoryOf({ ttl: 1_000 })
  memory.set('a', red)
  memory.set('b', red)
  await clock.advance(999)
  t.equal(memory.get('a'), red)
  await clock.advance(1)
  t.equal(memory.get('b'), undefined, 'after its time')
  t.equal(memory.get('a'), red, 'seen meanwhile')
  await clock.advance(1_000)
  t.equal(memory.size, 1, 'there is no timer')
  memory.set('c', red)
  t.equal(memory.size, 1, 'what has lapsed goes when something comes')
  t.equal(clock.pending, 0)
})

t.test('smaller limits count at once', async (t) => {
  const { memory, clock } = memoryOf({ max: 10 })
  for (let id = 0; id < 10; id++) memory.set(`${id}`, red)
  memory.limits = { max: 4, ttl: 1_000 }
  t.equal(memory.size, 4)
  t.strictSame(
    [5, 6].map((id) => memory.get(`${id}`)?.id),
    [undefined, 'red'],
  )
  await clock.advance(500)
  memory.limits = { max: 4, ttl: 500 }
  t.equal(memory.size, 0)
})

t.test('backends that have left are forgotten', async (t) => {
  const { memory } = memoryOf()
  memory.set('a', red)
  memory.set('b', blue)
  memory.forget([red, plainBackend('blue')])
  t.equal(memory.get('a'), undefined)
  t.equal(memory.get('b'), blue, 'another backend of that id has left')
  memory.set('c', red)
  t.equal(memory.get('c'), red, 'the order is whole')
  memory.forget([])
  t.equal(memory.size, 2)
})

t.test('ids that nobody should send are not kept', async (t) => {
  const { memory } = memoryOf()
  memory.set('', red)
  memory.set('x'.repeat(513), red)
  t.equal(memory.size, 0)
  memory.set('x'.repeat(512), red)
  t.equal(memory.size, 1)
})

t.test('it does what a slow and simple one does', async (t) => {
  const { memory } = memoryOf({ max: 5, ttl: Infinity })
  let model: string[] = []
  let seed = 1
  const next = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n
  for (let step = 0; step < 20_000; step++) {
    const id = `${next(12)}`
    const isKnown = model.includes(id)
    if (next(2) === 0) {
      if ((memory.get(id) !== undefined) !== isKnown) return t.fail(`step ${step}: ${id}`)
      if (isKnown) model = [...model.filter((other) => other !== id), id]
    } else {
      memory.set(id, red)
      model = [...model.filter((other) => other !== id), id].slice(-5)
    }
    if (memory.size !== model.length) return t.fail(`step ${step}: ${memory.size} instead of ${model.length}`)
  }
  t.equal(memory.size, 5)
})
