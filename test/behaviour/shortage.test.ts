import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { httpBackend } from '../support/backends.ts'
import { ask, rawClient } from '../support/clients.ts'
import { NODE_ARGS, ROOT, runnable } from '../support/tree.ts'
import { until } from '../support/until.ts'

// Out of file descriptors: in a process of its own, with a limit of its own; as it starts, Node reads many files at once.

const PROGRAM = `
  import { createBalancer } from ${JSON.stringify(runnable('lib/balancer.ts').href)}
  const balancer = createBalancer({
    listen: { port: 0, host: '127.0.0.1' }, health: false, backends: [process.env.BACKEND], log: 'silent',
  })
  const [{ port }] = await balancer.listen()
  console.log(port)
  process.stdin.resume().on('end', () => process.exit(0))
`

t.test('without file descriptors it refuses, blames no backend, and recovers by itself', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end('ok'))
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      'ulimit -n 320 && exec "$0" "$@"',
      process.execPath,
      ...NODE_ARGS,
      '--input-type=module',
      '-e',
      PROGRAM,
    ],
    { cwd: ROOT, env: { ...process.env, BACKEND: backend.url }, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  t.teardown(() => child.kill())
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const port = Number(line)
  const url = `http://127.0.0.1:${port}`
  t.equal((await ask(url)).body, 'ok')

  const clients = await Promise.all(Array.from({ length: 340 }, () => rawClient(t, port)))
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await until(
    () => clients.some(({ received, ended }) => received.includes(' 503 ') || (ended && received === '')),
    'somebody to be refused',
  )
  t.equal(child.exitCode, null, 'the process lives')
  for (const client of clients) client.reset()

  let answer: { status: number; body: string } | undefined
  await until(() => {
    if (answer?.status !== 200)
      ask(url).then(
        (next) => (answer = next),
        () => undefined,
      )
    return answer?.status === 200
  }, 'it to serve again')
  t.match(answer, { status: 200, body: 'ok' })
  child.stdin.end()
  await once(child, 'exit')
})
