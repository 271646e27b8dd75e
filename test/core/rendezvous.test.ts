import t from 'tap'
import { digestOf } from '../../lib/core/digest.ts'
import { type Contender, Rendezvous } from '../../lib/core/rendezvous.ts'
import { seededRandom } from '../support/random.ts'

interface Server extends Contender {
  readonly weight: number
}

const server = (id: string, weight = 1): Server => ({ id, weight, digest: digestOf(id) })
const servers = (count: number) => Array.from({ length: count }, (_, i) => server(`10.0.0.${i}:3000`))
const tableOf = (members: readonly Server[]) => new Rendezvous(members, ({ weight }) => weight)
const keys = Array.from({ length: 20_000 }, (_, i) => digestOf(`client ${i}`))
const owners = (members: readonly Server[]) => {
  const table = tableOf(members)
  return keys.map((key) => table.winner(key)!)
}
/** Old and new owner of each key that has moved. */
const moves = (before: readonly Server[], after: readonly Server[]) => {
  const [old, now] = [owners(before), owners(after)]
  return old.flatMap((from, i) => (from.id === now[i]!.id ? [] : [{ from: from.id, to: now[i]!.id }]))
}
const tally = (ids: readonly string[]) => {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
/** Pearson's statistic of counts against weights. */
const chiSquare = (ids: readonly string[], members: readonly Server[]) => {
  const counts = tally(ids)
  const total = members.reduce((sum, { weight }) => sum + weight, 0)
  return members.reduce((sum, { id, weight }) => {
    const expected = (ids.length * weight) / total
    return sum + ((counts.get(id) ?? 0) - expected) ** 2 / expected
  }, 0)
}
/** Above that a fair table would be one time in a hundred thousand (Wilson and Hilferty). */
const bound = (degrees: number) =>
  degrees * (1 - 2 / (9 * degrees) + 4.27 * Math.sqrt(2 / (9 * degrees))) ** 3

t.test('the same key to the same server, in any order of the list', async (t) => {
  const members = servers(50).map((one, i) => server(one.id, 1 + (i % 4)))
  const chance = seededRandom(1)
  const shuffled = [...members].sort(() => chance() - 0.5)
  t.same(
    owners(members).map(({ id }) => id),
    owners(shuffled).map(({ id }) => id),
  )
})

t.test('test vectors: no version may send a key elsewhere', async (t) => {
  const table = tableOf([server('red'), server('blue'), server('green', 2), server('black', 0.5)])
  const texts = ['', 'a', 'room 7', '192.0.2.1/32', '2001:db8:0:0/64', 'ünï', '😀', 'user-4711']
  t.same(
    texts.map((text) => table.winner(digestOf(text))!.id),
    ['black', 'red', 'blue', 'green', 'green', 'red', 'blue', 'green'],
  )
})

for (const count of [2, 3, 10, 100]) {
  t.test(`of ${count} equals each has its share`, async (t) => {
    const members = servers(count)
    const chi = chiSquare(
      owners(members).map(({ id }) => id),
      members,
    )
    t.ok(chi < bound(count - 1), `chi-square ${chi}`)
  })

  t.test(`one more than ${count} takes its share from all, and nothing else moves`, async (t) => {
    const members = servers(count)
    const moved = moves(members, [...members, server('new')])
    t.same([...new Set(moved.map(({ to }) => to))], ['new'])
    const expected = keys.length / (count + 1)
    t.ok(Math.abs(moved.length - expected) < 5 * Math.sqrt(expected), `${moved.length} of ${expected}`)
    const chi = chiSquare(
      moved.map(({ from }) => from),
      members,
    )
    t.ok(chi < bound(count - 1), `from all alike: ${chi}`)
  })
}

t.test('the keys of one that goes spread over all others by weight, and nothing else moves', async (t) => {
  const members = servers(8).map((one, i) => server(one.id, 1 + (i % 3)))
  const [gone, ...rest] = members
  const moved = moves(members, rest)
  t.same([...new Set(moved.map(({ from }) => from))], [gone!.id])
  t.equal(moved.length, tally(owners(members).map(({ id }) => id)).get(gone!.id))
  const chi = chiSquare(
    moved.map(({ to }) => to),
    rest,
  )
  t.ok(chi < bound(rest.length - 1), `chi-square ${chi}`)
})

t.test('shares follow the weights, fractions too', async (t) => {
  const members = [0.1, 0.5, 1, 2, 2, 7.5].map((weight, i) => server(`w${i}`, weight))
  const chi = chiSquare(
    owners(members).map(({ id }) => id),
    members,
  )
  t.ok(chi < bound(members.length - 1), `chi-square ${chi}`)
})

t.test('a weight that changes moves what it must', async (t) => {
  const before = servers(10)
  const heavier = before.map((one, i) => (i === 3 ? server(one.id, 2) : one))
  const up = moves(before, heavier)
  t.same([...new Set(up.map(({ to }) => to))], [before[3]!.id], 'all to the one that has grown')
  const expected = keys.length * (2 / 11 - 1 / 10)
  t.ok(Math.abs(up.length - expected) < 5 * Math.sqrt(expected), `${up.length} of ${expected}`)
  const down = moves(heavier, before)
  t.same(
    down,
    up.map(({ from, to }) => ({ from: to, to: from })),
    'and back again',
  )
})

t.test('what a memo remembers is what would be found', async (t) => {
  const members = servers(100).map((one, i) => server(one.id, 1 + (i % 2)))
  const table = tableOf(members)
  // More keys than it has places, so that they take them from each other.
  const many = Array.from({ length: 90_000 }, (_, i) => digestOf(`k${i}`))
  for (const key of many) table.winner(key)
  const wrong = many.filter((key, i) => i % 90 === 0 && table.winner(key) !== tableOf(members).winner(key))
  t.same(wrong, [])
})

t.test('the next in the order of a key is who would have it without the first', async (t) => {
  const members = servers(20).map((one, i) => server(one.id, 1 + (i % 3)))
  const table = tableOf(members)
  for (const key of keys.slice(0, 300)) {
    const passed = new Set<Server>()
    for (let left = members; left.length > 0; left = left.filter((one) => !passed.has(one))) {
      const next = table.first(key, (one) => !passed.has(one))!
      if (next !== tableOf(left).winner(key)) return t.fail(`after ${passed.size}`)
      passed.add(next)
    }
  }
  t.equal(
    table.first(keys[0]!, () => false),
    undefined,
  )
  t.equal(tableOf([]).winner(keys[0]!), undefined)
})

t.test('it asks for few when nearly all are accepted', async (t) => {
  const table = tableOf(servers(10_000))
  let asked = 0
  for (const key of keys.slice(0, 100)) table.first(key, () => ++asked > 0)
  t.ok(asked / 100 < 20, `${asked / 100} a key`)
})

t.test('weights as small and as great as numbers can be', async (t) => {
  const [tiny, small] = [server('tiny', Number.MIN_VALUE), server('small', 1e-6)]
  t.same(new Set(owners([tiny])), new Set([tiny]))
  t.same(new Set(owners([tiny, small, server('great', 1e6)]).map(({ id }) => id)), new Set(['great']))
})
