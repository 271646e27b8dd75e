import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { lines, running } from './running.ts'

/** A backend whose health is what the test says; it emits `probe` for each time it was asked. */
async function patient(t: Test) {
  const state = { well: true }
  const server = createServer((_request, response) => {
    response.writeHead(state.well ? 200 : 503).end()
    server.emit('probe')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { state, server, url }
}

t.test('restore asks the backend now, and waits until it is up', async (t) => {
  const { state, server, url } = await patient(t)
  const firstProbe = once(server, 'probe')
  const { begin, run, status } = await running(t, [], {
    backends: [{ id: 'blue', url }],
    health: { interval: '1h', debounce: '500ms' },
  })
  await firstProbe
  await run('drain', 'blue')
  state.well = false
  const failed = await run('restore', 'blue', '--deadline', '300ms')
  t.match(failed, { code: 1, stdout: '' })
  t.match(failed.stderr, /^blue is still (suspect|down): probe: .*503.*\n$/)
  t.match((await status()).backends, [{ adminState: 'active', trouble: /503/ }])
  t.match(await run('restore', 'blue', '--no-wait'), { code: 0, stdout: 'restored blue\n' })

  const waiting = begin('restore', 'blue', '--json')
  await once(server, 'probe')
  state.well = true
  const { code, stdout } = await waiting.ended
  t.equal(code, 0)
  t.match(lines(stdout), [
    { event: 'up', backend: 'blue' },
    { event: 'restored', target: 'blue', backends: ['blue'] },
  ])
  t.match((await status()).backends, [{ health: 'up', trouble: null }])
  t.match(await run('restore', '*'), { code: 0, stdout: 'blue up\nrestored blue\n', stderr: '' })
})

t.test('what is not probed is up', async (t) => {
  const { run } = await running(t, ['blue', 'green'])
  t.match(await run('restore', '*'), { code: 0, stdout: 'blue up\ngreen up\nrestored blue, green\n' })
  const { code, stderr } = await run('restore', 'blue', '--deadline', 'soon')
  t.match([code, stderr], [2, /^deadline: /])
})
