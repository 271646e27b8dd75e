import t from 'tap'
import { SentinelQuorum } from '../../../lib/relay/redis/sentinel-quorum.ts'
import { type Vote, voteOf } from '../../../lib/relay/redis/sentinel-vote.ts'

const LEASE = 2_000

/** Answered after 10 ms. */
function vote(host: string, term: number, asked: number, age = 1_000_000): Vote {
  return { address: { host, port: 6379 }, term, asked, answered: asked + 10, age, sentinels: 3 }
}

t.test('the majority of all decides, not of those that answer', async (t) => {
  const quorum = new SentinelQuorum(3, LEASE)
  quorum.vote(0, vote('a', 1, 0))
  t.equal(quorum.view, undefined)
  quorum.vote(1, vote('stale', 1, 0))
  t.equal(quorum.view, undefined)
  quorum.vote(2, vote('a', 1, 20))
  t.match(quorum.view, { address: { host: 'a' }, term: 1 })
})

t.test('of an even number, half is no majority', async (t) => {
  const quorum = new SentinelQuorum(4, LEASE)
  quorum.vote(0, vote('a', 1, 0))
  quorum.vote(1, vote('a', 1, 0))
  t.equal(quorum.view, undefined)
})

t.test('the same address in another term is another vote', async (t) => {
  const quorum = new SentinelQuorum(3, LEASE)
  quorum.vote(0, vote('a', 1, 0))
  quorum.vote(1, vote('a', 2, 0))
  t.equal(quorum.view, undefined)
})

t.test('the lease counts from when the majority was asked', async (t) => {
  const quorum = new SentinelQuorum(3, LEASE)
  quorum.vote(0, vote('a', 1, 100))
  quorum.vote(1, vote('a', 1, 250))
  const view = quorum.view!
  t.equal(quorum.leaseLeft(view, 260), 1_840, 'from the older of two')
  quorum.vote(2, vote('a', 1, 300))
  t.equal(quorum.leaseLeft(view, 310), 1_940)
  quorum.vote(0, vote('a', 1, 900))
  t.equal(quorum.leaseLeft(view, 910), 1_390)
  quorum.vote(1, undefined)
  quorum.vote(2, undefined)
  t.notOk(quorum.agreed)
  quorum.vote(0, vote('a', 1, 2_000))
  t.equal(quorum.leaseLeft(view, 2_000), 300, 'one alone renews nothing')
  t.equal(quorum.leaseLeft(view, 2_400), -100)
})

t.test('a new master is used only when no lease on the old one holds', async (t) => {
  const quorum = new SentinelQuorum(3, LEASE)
  for (const index of [0, 1, 2]) quorum.vote(index, vote('a', 1, 0))
  const old = quorum.view!
  quorum.vote(0, vote('b', 2, 1_000, 50))
  t.equal(quorum.view, old)
  t.equal(quorum.leaseLeft(old, 1_000), 1_000)
  quorum.vote(1, vote('b', 2, 1_000, 0))
  const view = quorum.view!
  t.match(view, { address: { host: 'b' }, term: 2 })
  t.equal(quorum.leaseLeft(old, 1_010), 0, 'at once, for this process')
  t.equal(quorum.usableFrom(view), 1_010 + LEASE, 'others may have asked just before')
})

t.test('who comes later need not wait for what is long past', async (t) => {
  const quorum = new SentinelQuorum(3, LEASE)
  quorum.vote(0, vote('b', 2, 0, 50))
  quorum.vote(1, vote('b', 2, 0, 5_000))
  t.equal(quorum.usableFrom(quorum.view!), 10 - 50 + LEASE, 'a majority has named it for 50 ms')

  const later = new SentinelQuorum(3, LEASE)
  later.vote(0, vote('b', 2, 0, 9_000))
  later.vote(1, vote('b', 2, 0, 5_000))
  t.ok(later.usableFrom(later.view!) < 0)
})

t.test(
  'a Sentinel that still names the old master in the new term is believed when it names the new one',
  async (t) => {
    const quorum = new SentinelQuorum(1, LEASE)
    quorum.vote(0, vote('a', 1, 0))
    quorum.vote(0, vote('a', 2, 1_000))
    const between = quorum.view!
    t.match(between, { address: { host: 'a' }, term: 2 })
    quorum.vote(0, vote('b', 2, 3_000, 0))
    t.match(quorum.view, { address: { host: 'b' }, term: 2 })
    t.equal(quorum.leaseLeft(between, 3_010), 0)
    t.equal(quorum.usableFrom(quorum.view!), 3_010 + LEASE, 'others may still use the old one')
  },
)

t.test('never back to an earlier term', async (t) => {
  const quorum = new SentinelQuorum(3, LEASE)
  for (const index of [0, 1]) quorum.vote(index, vote('b', 2, 0))
  const view = quorum.view!
  for (const index of [0, 1, 2]) quorum.vote(index, vote('a', 1, 100))
  t.equal(quorum.view, view)
  t.notOk(quorum.agreed)
  t.ok(quorum.leaseLeft(view, 2_100) <= 0, 'and what it had runs out')
})

t.test('unless the Sentinels were set up anew, and say so for half a minute', async (t) => {
  const quorum = new SentinelQuorum(3, LEASE)
  for (const index of [0, 1]) quorum.vote(index, vote('b', 12, 0))
  for (let at = 1_000; at < 30_000; at += 1_000)
    for (const index of [0, 1, 2]) quorum.vote(index, vote('a', 0, at, at))
  t.equal(quorum.view!.term, 12)
  for (const index of [0, 1, 2]) quorum.vote(index, vote('a', 0, 32_000, 31_000))
  const view = quorum.view!
  t.equal(view.term, 0)
  t.ok(quorum.leaseLeft(view, 32_010) > 0)
  t.notOk(quorum.isFenced(view, 32_010), 'a log in term 12 takes it')

  const interrupted = new SentinelQuorum(3, LEASE)
  for (const index of [0, 1]) interrupted.vote(index, vote('b', 12, 0))
  for (const at of [1_000, 20_000]) for (const index of [0, 1]) interrupted.vote(index, vote('a', 0, at, at))
  for (const index of [0, 1]) interrupted.vote(index, vote('b', 12, 25_000))
  for (const index of [0, 1]) interrupted.vote(index, vote('a', 0, 32_000, 0))
  t.equal(interrupted.view!.term, 12, 'without a break')
})

t.test('a new master is fenced while others may not know of it', async (t) => {
  const quorum = new SentinelQuorum(1, LEASE)
  quorum.vote(0, vote('a', 3, 0, 0))
  t.ok(quorum.isFenced(quorum.view!, 29_000))
  t.notOk(quorum.isFenced(quorum.view!, 31_000))
})

t.test('without a lease there is still a majority', async (t) => {
  const quorum = new SentinelQuorum(3, undefined)
  quorum.vote(0, vote('a', 1, 0, 0))
  quorum.vote(1, vote('a', 1, 0, 0))
  const view = quorum.view!
  t.equal(quorum.usableFrom(view), 10)
  t.equal(quorum.leaseLeft(view, 1e9), Infinity)
})

t.test('an answer that makes no sense is no vote', async (t) => {
  const sound = {
    ip: 'a',
    port: '6379',
    'config-epoch': '0',
    'role-reported-time': '5',
    'num-other-sentinels': '2',
  }
  const said = (more: object) => voteOf(Object.entries({ ...sound, ...more }).flat(), 1, 2)
  t.match(said({}), { address: { host: 'a', port: 6379 }, term: 0, age: 5, sentinels: 3 })
  for (const word of ['', '-1', '1e3', 'garbage', 'NaN', '9'.repeat(30)])
    for (const field of Object.keys(sound).slice(1)) t.equal(said({ [field]: word }), undefined)
  for (const wrong of [{ ip: '' }, { port: '0' }, { port: '65536' }]) t.equal(said(wrong), undefined)
  for (const reply of [[], null, 'OK', [['ip']]]) t.equal(voteOf(reply, 1, 2), undefined)
})
