import t from 'tap'
import { DRAIN_ORDERS, inOrder } from '../../lib/proxy/drain-order.ts'
import { type Tunnel } from '../../lib/proxy/tunnel.ts'
import { seededRandom } from '../support/random.ts'

const tunnels = [30, 10, 0, 20].map((idle, id) => ({ id, idle }) as Tunnel)
const ids = (list: readonly Tunnel[]) => list.map(({ id }) => id)

t.test('idle ones first, the oldest, the newest', async (t) => {
  t.same(ids(inOrder(tunnels, 'idle-first', Math.random)), [0, 3, 1, 2])
  t.same(ids(inOrder(tunnels, 'oldest-first', Math.random)), [0, 1, 2, 3])
  t.same(ids(inOrder(tunnels, 'newest-first', Math.random)), [3, 2, 1, 0])
})

t.test('at random, every place is as likely for each', async (t) => {
  const random = seededRandom(7)
  const places = tunnels.map(() => tunnels.map(() => 0))
  for (let i = 0; i < 4_000; i++)
    ids(inOrder(tunnels, 'random', random)).forEach((id, place) => places[id]![place]!++)
  for (const counts of places) for (const count of counts) t.ok(count > 900 && count < 1_100, String(count))
})

t.test('every order has every tunnel once and leaves the list as it was', async (t) => {
  for (const order of DRAIN_ORDERS) {
    t.same(ids(inOrder(tunnels, order, Math.random)).sort(), [0, 1, 2, 3])
    t.same(ids(tunnels), [0, 1, 2, 3])
  }
})
