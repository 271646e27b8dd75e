import t from 'tap'
import { type Backend, type BackendSettings } from '../../lib/core/backend.ts'
import { roomIn, sharesOf } from '../../lib/pool/shares.ts'
import { plainBackend } from '../support/plain.ts'

function loaded(id: string, tunnels: number, settings: Partial<BackendSettings> = {}): Backend {
  return Object.assign(plainBackend(id, settings), { tunnels, load: tunnels })
}

function byId(shares: ReadonlyMap<Backend, number>): Record<string, number> {
  return Object.fromEntries([...shares].map(([{ id }, share]) => [id, share]))
}

t.test('the mean by weight, those that are on their way included', async (t) => {
  const [a, b, c] = [loaded('a', 45), loaded('b', 40), loaded('c', 0)]
  t.same(byId(sharesOf([a, b, c], 5)), { a: 30, b: 30, c: 30 })
  c.settings = { ...c.settings, weight: 0.1 }
  a.settings = b.settings = { ...c.settings, weight: 0.1 }
  t.same(byId(sharesOf([a, b, c], 5)), { a: 30, b: 30, c: 30 }, 'whatever binary fractions make of it')
  c.settings = { ...c.settings, weight: 0.8 }
  t.same(byId(sharesOf([a, b, c], 5)), { a: 9, b: 9, c: 72 })
})

t.test('only who is up and takes new clients has a share, and its tunnels count', async (t) => {
  const backends = [
    loaded('up', 10),
    loaded('down', 20),
    loaded('suspect', 20),
    loaded('draining', 20),
    loaded('disabled', 20),
    loaded('weightless', 20, { weight: 0 }),
    loaded('backup', 20, { backup: true }),
    loaded('full', 2, { maxConnections: 2 }),
  ]
  const [up, down, suspect, draining, disabled] = backends as [Backend, Backend, Backend, Backend, Backend]
  down.health = 'down'
  suspect.health = 'suspect'
  draining.adminState = 'draining'
  disabled.adminState = 'disabled'
  t.same(byId(sharesOf(backends, 0)), { up: 6, full: 6 })
  up.health = 'down'
  backends.pop()
  t.same(byId(sharesOf(backends, 0)), { backup: 20 }, 'backups when nobody else is up')
  t.same(byId(sharesOf([down], 0)), {})
})

t.test('there is room for whole tunnels below the shares, and below maxConnections', async (t) => {
  const backends = [loaded('a', 50), loaded('b', 0), loaded('c', 1, { maxConnections: 4 })]
  t.equal(roomIn(sharesOf(backends, 0)), 17 + 3)
  t.equal(roomIn(sharesOf([loaded('a', 10), loaded('b', 10), loaded('c', 9)], 0)), 0, 'no whole one')
})
