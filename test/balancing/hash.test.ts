import t from 'tap'
import { hash, type HashOptions } from '../../lib/balancing/hash.ts'
import { type Policy } from '../../lib/balancing/policy.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { ConfigError } from '../../lib/core/errors.ts'
import { type IncomingRequest } from '../../lib/core/request.ts'
import { query } from '../../lib/core/request-key.ts'
import { policyContract } from '../contract/policy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

/** Every request is another client. */
policyContract(() => {
  let turn = 0
  return hash({ key: () => String(turn++) })
})
policyContract(() => {
  let turn = 0
  return hash({ key: () => String(turn++), boundedLoad: 1.25 })
})
/** Nobody can be told from another. */
policyContract(() => hash({ key: () => undefined }))

const room = (name: string | number) => plainRequest({ url: `/?room=${name}` })
const byRoom = (options: HashOptions = {}) => hash({ key: query('room'), ...options })
const bounded = () => byRoom({ boundedLoad: 1.25 })
const never = () => {
  throw new Error('chance was asked')
}

/** As the pool does it. */
function take(policy: Policy, candidates: readonly Backend[], request: IncomingRequest): Backend {
  const backend = policy.pick(candidates, request, never)
  backend.load++
  policy.loadChanged?.(backend)
  return backend
}

function leave(policy: Policy, backend: Backend): void {
  backend.load--
  policy.loadChanged?.(backend)
}

t.test('nobody takes more than its bound of the mean by weight, however few the keys', async (t) => {
  const candidates = [1, 1, 2, 4].map((weight, i) => plainBackend(`b${i}`, { weight }))
  const policy = bounded()
  const chance = seededRandom(3)
  const held: Backend[] = []
  for (let step = 1; step <= 3_000; step++) {
    held.push(take(policy, candidates, room(Math.floor(chance() ** 3 * 5))))
    const { load, weight, id } = held.at(-1)!
    const most = Math.ceil((1.25 * held.length * weight) / 8)
    if (load > most) return t.fail(`step ${step}: ${id} has ${load}, ${most} at most`)
    // A third leaves again.
    if (step % 3 === 0) leave(policy, held.splice(Math.floor(chance() * held.length), 1)[0]!)
  }
  t.equal(
    candidates.reduce((sum, { load }) => sum + load, 0),
    held.length,
  )
})

t.test('the overflow of a key goes to the next in its order, and home when there is room', async (t) => {
  const candidates = ['a', 'b', 'c', 'd'].map((id) => plainBackend(id))
  const policy = bounded()
  const order = ['first', 'second'].map(() => '')
  order[0] = byRoom().pick(candidates, room(1), never).id
  const rest = candidates.filter(({ id }) => id !== order[0])
  order[1] = byRoom().pick(rest, room(1), never).id
  const [one, two] = [take(policy, candidates, room(1)), take(policy, candidates, room(1))]
  t.same([one.id, two.id], order, 'of two, more than one is above the bound')
  leave(policy, one)
  t.equal(take(policy, candidates, room(1)), one)
})

t.test('by default a key has one backend, whatever its load, also in a pool with little to do', async (t) => {
  const pool = poolOf({ a: {}, b: {}, c: {}, d: {} }, { policy: byRoom() })
  for (let name = 0; name < 200; name++) {
    const leases = [1, 2, 3, 4].map(() => pool.acquire(room(name)))
    if (new Set(leases.map(({ backend }) => backend)).size > 1) return t.fail(`room ${name} is split`)
    leases[0]!.release()
  }
  t.pass('200 rooms')
})

t.test('by default the key is the address of the client', async (t) => {
  const candidates = Array.from({ length: 20 }, (_, i) => plainBackend(`b${i}`))
  const policy = hash()
  const from = (clientAddress: string) => policy.pick(candidates, plainRequest({ clientAddress }), never)
  t.equal(from('2001:db8::1'), from('2001:db8::2'), 'one network')
  t.ok(new Set(Array.from({ length: 50 }, (_, i) => from(`192.0.2.${i}`))).size > 10)
})

t.test('a slow start brings keys home one after the other, and moves no others', async (t) => {
  const all = ['a', 'b', 'c', 'd'].map((id) => plainBackend(id))
  const policy = byRoom()
  const rooms = Array.from({ length: 2_000 }, (_, i) => room(i))
  const owners = () => rooms.map((request) => policy.pick([...all], request, never).id)
  const before = owners()
  const share = before.filter((id) => id === 'a').length
  const home: number[] = []
  let previous: string[] | undefined
  for (const ramp of [0.1, 0.4, 0.7, 1]) {
    all[0]!.ramp = ramp
    const now = owners()
    t.ok(
      now.every((id, i) => id === before[i] || before[i] === 'a'),
      'the keys of the others stay',
    )
    t.ok(
      now.every((id, i) => id === 'a' || previous?.[i] !== 'a'),
      'who is home stays',
    )
    home.push(now.filter((id) => id === 'a').length)
    previous = now
  }
  t.same(previous, before)
  t.same(
    [...home].sort((a, b) => a - b),
    home,
  )
  t.ok(home[0]! < share / 4 && home[0]! > 0, `${home.join()} of ${share}`)
})

t.test('in a pool: leases move the bound, and a reload begins with the true load', async (t) => {
  const four = { a: {}, b: {}, c: {}, d: {} }
  const pool = poolOf(four, { policy: bounded() })
  const leases = Array.from({ length: 100 }, () => pool.acquire(room(1)))
  const loads = () => [...pool.backends.values()].map(({ load }) => load)
  t.ok(Math.max(...loads()) <= Math.ceil(1.25 * 25), loads().join())
  pool.reconfigure({ ...pool.spec, policy: bounded() })
  leases.push(...Array.from({ length: 60 }, () => pool.acquire(room(2))))
  t.ok(Math.max(...loads()) <= Math.ceil(1.25 * 40), loads().join())
  for (const lease of leases) lease.release()
  const [again] = [pool.acquire(room(1)), pool.acquire(room(1))]
  t.equal(again?.backend.load, 1)
  t.equal(
    loads().reduce((sum, load) => sum + load, 0),
    2,
  )
})

t.test('options that are not valid are refused when the policy is made', async (t) => {
  const wrong: [unknown, RegExp][] = [
    [{ boundedLoad: 0.9 }, /boundedLoad: got 0.9; expected a number, 1 or more/],
    [{ boundedLoad: '1.25' }, /boundedLoad/],
    [{ boundedLoad: Infinity }, /boundedLoad/],
    [{ boundedLoad: true }, /boundedLoad/],
    [{ key: 'ip' }, /hash: got ip; expected a key/],
  ]
  for (const [options, message] of wrong) {
    t.throws(() => hash(options as HashOptions), ConfigError)
    t.throws(() => hash(options as HashOptions), { message })
  }
})
