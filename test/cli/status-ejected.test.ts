import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { until } from '../support/until.ts'
import { running } from './running.ts'

t.test('status and the log say who is ejected, and that health is ignored', async (t) => {
  const sick = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  sick.on('connection', (socket) => socket.close(1011))
  await once(sick, 'listening')
  t.teardown(() => sick.close())
  const { port } = sick.address() as AddressInfo
  const backends = ['sick', 'other'].map((id) => ({ id, url: `http://127.0.0.1:${port}` }))
  const { wslb, connect, run, status } = await running(t, [], {
    backends,
    trustProxy: true,
    // A WebSocket server alone answers requests with 426.
    health: { expect: 426, ejection: { failures: 1, time: '1h' }, panicThreshold: 0.6 },
  })
  // Of three one backend gets two, from two networks.
  await connect(3)
  let seen = await status()
  const isOut = async () => ((seen = await status()), seen.backends.some(({ ejectedUntil }) => ejectedUntil))
  let out = false
  void (async () => {
    while (!(await isOut()));
    out = true
  })()
  await until(() => out, 'it to be ejected')
  t.match(seen.pools, [{ panic: true }])
  const { stdout } = await run('status')
  t.match(
    stdout,
    /\n(sick|other) ejected for another 5\d min( \d+ s)?\ndefault in panic: health is ignored\n/,
  )
  await wslb.logged(/ejected until .*: a WebSocket closed with 1011 after \d+ ms/)
  await wslb.logged(/pool default in panic, health is ignored: 1 of 2 backends can be used/)
})
