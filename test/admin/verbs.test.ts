import t from 'tap'
import { verbsFor } from '../../lib/admin/verbs.ts'
import { type Snapshot } from '../../lib/snapshot.ts'
import { wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { wsClient } from '../support/clients.ts'
import { close, rejection } from '../support/reload.ts'

t.test('a verb lists the open tunnels only where they are asked for', async (t) => {
  const { url: backendUrl } = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [{ id: 'blue', url: backendUrl }] })
  const client = await wsClient(t, url)
  const taken: Snapshot[] = []
  const snapshot = balancer.snapshot.bind(balancer)
  balancer.snapshot = (options) => {
    taken.push(snapshot(options))
    return taken.at(-1)!
  }
  const unused = () => Promise.reject(new Error('unused'))
  const verbs = verbsFor({ balancer, config: '/lb.config.json', reload: unused, plan: unused })
  const ask = async (verb: string, input: object = {}) => {
    taken.length = 0
    await verbs.get(verb)!({ input: { ...input }, signal: new AbortController().signal, progress: () => {} })
    return Math.max(0, ...taken.map(({ tunnels }) => tunnels.length))
  }
  t.strictSame(await ask('status'), 0)
  t.strictSame(await ask('status', { tunnels: true }), 1)
  t.strictSame(await ask('drain', { target: 'blue' }), 0)
  t.strictSame(await ask('restore', { target: 'blue' }), 0)
  for (const options of [null, 7, 'over', []]) {
    const refused = await rejection(ask('drain', { target: 'blue', options }))
    t.match(refused, { code: 'WSLB_CONFIG_INVALID', message: 'options: expected an object' })
  }
  const closed = ask('drain', { target: 'blue', wait: true, options: { over: 0 } })
  await Promise.all([closed, close(client)])
  t.strictSame(await closed, 0)
})
