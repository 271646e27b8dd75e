import t from 'tap'
import { MinHeap } from '../../lib/core/min-heap.ts'
import { seededRandom } from '../support/random.ts'

t.test('it gives the least first, whatever order things came in', async (t) => {
  const chance = seededRandom(1)
  for (let size = 0; size < 60; size++) {
    const numbers = Array.from({ length: size }, () => Math.floor(chance() * 20))
    const half = size >>> 1
    const heap = new MinHeap(numbers.slice(0, half), (a: number, b: number) => a < b)
    for (const number of numbers.slice(half)) heap.push(number)
    t.equal(heap.size, size)
    t.same(
      numbers.map(() => heap.pop()),
      numbers.toSorted((a, b) => a - b),
    )
    t.equal(heap.pop(), undefined)
  }
})

t.test('what has become greater sinks', async (t) => {
  const items = [1, 2, 3, 4, 5].map((key) => ({ key }))
  const heap = new MinHeap(items, (a, b) => a.key < b.key)
  heap.top!.key = 3.5
  heap.sinkTop()
  t.same(
    items.map(() => heap.pop()!.key),
    [2, 3, 3.5, 4, 5],
  )
})
