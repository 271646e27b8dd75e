import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../../lib/admin/ask.ts'
import { type Verb } from '../../lib/admin/call.ts'
import { LONGEST_INPUT } from '../../lib/admin/read-input.ts'
import { ConfigError, WslbError } from '../../lib/core/errors.ts'
import { FastClock } from '../support/clock.ts'
import { rejection } from '../support/reload.ts'
import { NODE_ARGS, runnable } from '../support/tree.ts'
import { until } from '../support/until.ts'
import { address, controlServer, openServer, rawClient } from './channel.ts'

t.test('what is asked is answered, with progress on the way', async (t) => {
  const { path } = await openServer(t, {
    count: ({ progress }) => {
      progress({ at: 1 })
      progress({ at: 2 })
      return { done: true }
    },
  })
  t.same(await ask(path, 'echo', { input: { text: 'ä\n"' } }), { text: 'ä\n"' })
  const seen: object[] = []
  t.same(await ask(path, 'count', { onProgress: (progress) => seen.push(progress) }), { done: true })
  t.same(seen, [{ at: 1 }, { at: 2 }])
})

t.test('what a verb throws is told, problem by problem', async (t) => {
  const problems = [
    { path: 'over', message: 'wrong' },
    { path: 'code', message: 'wrong too' },
  ]
  const { path } = await openServer(t, {
    config: () => Promise.reject(new ConfigError(problems)),
    unknown: () => {
      throw new WslbError('WSLB_UNKNOWN_BACKEND', 'no backend "x"')
    },
  })
  t.match(await rejection(ask(path, 'config')), {
    name: 'Refused',
    problems: [
      { code: 'WSLB_CONFIG_INVALID', path: 'over', message: 'over: wrong' },
      { path: 'code', message: 'code: wrong too' },
    ],
  })
  t.match(await rejection(ask(path, 'unknown')), { problems: [{ code: 'WSLB_UNKNOWN_BACKEND' }] })
  t.match(await rejection(ask(path, 'nonsense')), { message: /does not know "nonsense"; it knows .*echo/ })
})

t.test('the socket is for us alone, and gone when the server is', async (t) => {
  const { server, path, directory } = await openServer(t)
  t.equal(statSync(directory).mode & 0o777, 0o700)
  server.close()
  t.same(readdirSync(directory), [])
  t.equal(await ask(path, 'echo'), undefined, 'nobody')
})

t.test('a directory that others can open, or that is none, is not used', async (t) => {
  const cases: [make: (directory: string) => void, message: RegExp][] = [
    [(directory) => mkdirSync(directory, { mode: 0o755 }), /open to others \(mode 755\); chmod 700/],
    [(directory) => writeFileSync(directory, ''), /is not a directory/],
    [(directory) => symlinkSync('/', directory), /is not a directory/],
  ]
  for (const [make, message] of cases) {
    const at = address(t)
    make(at.directory)
    const error = await rejection(controlServer(t).open(at))
    t.match(error, { code: 'WSLB_CONTROL', message })
    t.ok(error.message.includes(at.directory), 'the message names it')
  }
})

t.test('a directory of somebody else is not used', async (t) => {
  const own = address(t)
  const isRoot = process.getuid!() === 0
  const directory = isRoot ? own.directory : '/usr'
  if (isRoot) {
    mkdirSync(directory, { mode: 0o700 })
    chownSync(directory, 4711, 4711)
  }
  const error = await rejection(controlServer(t).open({ directory, path: join(directory, 'a.sock') }))
  t.match(error, { code: 'WSLB_CONTROL', message: /belongs to user \d+, and we are user \d+/ })
})

t.test('a path that would be cut off is refused', async (t) => {
  const { directory } = address(t)
  const path = join(directory, `${'x'.repeat(100)}.sock`)
  t.match(await rejection(controlServer(t).open({ directory, path })), { message: /too long for a socket/ })
  t.notOk(existsSync(directory))
})

t.test('the socket of a dead process is replaced', async (t) => {
  const at = address(t)
  mkdirSync(at.directory, { mode: 0o700 })
  const script = `require('net').createServer().listen(${JSON.stringify(at.path)}, () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', script]), 'exit')
  t.ok(statSync(at.path).isSocket(), 'it was left')
  t.equal(await ask(at.path, 'echo'), undefined)
  await controlServer(t, { echo: ({ input }) => input }).open(at)
  t.same(await ask(at.path, 'echo', { input: { a: 1 } }), { a: 1 })
})

t.test('the socket of a live process stays, and the message names that process', async (t) => {
  const { path, directory } = await openServer(t)
  const second = controlServer(t)
  t.match(await rejection(second.open({ path, directory })), {
    code: 'WSLB_CONTROL',
    message: `process ${process.pid} serves the same config and has its control channel`,
  })
  second.close()
  t.same(await ask(path, 'echo', { input: { a: 1 } }), { a: 1 }, 'the first one is as before')
})

t.test(
  'a process that is stopping answers until the next one comes, and ends what it has begun',
  async (t) => {
    let finish!: () => void
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const { server, path, directory } = await openServer(t, {
      who: () => ({ name: 'first' }),
      wait: async ({ progress }) => {
        progress({ begun: true })
        await finished
        return { name: 'first' }
      },
    })
    let waiting!: Promise<object | undefined>
    await new Promise<object>((resolve) => {
      waiting = ask(path, 'wait', { onProgress: resolve })
    })
    server.release()
    t.same(await ask(path, 'who'), { name: 'first' })
    await controlServer(t, { who: () => ({ name: 'second' }) }).open({ path, directory })
    t.same(await ask(path, 'who'), { name: 'second' })
    finish()
    t.same(await waiting, { name: 'first' })
    server.close()
    t.same(
      await ask(path, 'who'),
      { name: 'second' },
      'the end of the first does not remove the socket of the second',
    )
  },
)

t.test('what listens there but does not answer keeps the address', async (t) => {
  const at = address(t)
  mkdirSync(at.directory, { mode: 0o700 })
  const mute = createServer().listen(at.path)
  await once(mute, 'listening')
  mute.on('connection', (socket) => t.teardown(() => socket.destroy()))
  t.teardown(() => mute.close())
  t.match(await rejection(controlServer(t).open(at)), {
    code: 'WSLB_CONTROL',
    message: /no sign of life for 2 s/,
  })
  t.ok(existsSync(at.path))
})

t.test('garbage, unfinished calls and calls that are too long harm nobody', async (t) => {
  const { path } = await openServer(t)
  const post = (body: string, length = Buffer.byteLength(body)) =>
    `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`
  const chunked = 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
  const tooLong = 'x'.repeat(LONGEST_INPUT + 1)
  const cases: [sent: string, answer: RegExp][] = [
    ['\x16\x03\x01garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['GET /echo HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 405 /],
    ['POST /__proto__ HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 404 /],
    [post('{'), /^HTTP\/1\.1 400 [^]*a call is a JSON object/],
    [post('[1]'), /^HTTP\/1\.1 400 [^]*a call is a JSON object/],
    [post('null'), /^HTTP\/1\.1 400 /],
    [post(''), /^HTTP\/1\.1 200 [^]*\{"result":\{\}\}/],
    [post(JSON.stringify(tooLong)), /^HTTP\/1\.1 413 /],
    [`${chunked}${tooLong.length.toString(16)}\r\n${tooLong}`, /^HTTP\/1\.1 413 /],
  ]
  for (const [sent, answer] of cases) {
    const client = await rawClient(t, path)
    client.socket.write(sent)
    t.match(await client.has(answer), answer, sent.slice(0, 60))
    client.socket.destroy()
  }
  const leaving = await rawClient(t, path)
  leaving.socket.write(post('{', 10))
  leaving.socket.destroy()
  t.same(await ask(path, 'echo', { input: { a: 1 } }), { a: 1 })
})

t.test('more clients than anybody needs are dropped, and come in when others leave', async (t) => {
  const { path } = await openServer(t)
  const idle = await Promise.all(Array.from({ length: 64 }, () => rawClient(t, path)))
  t.match(await rejection(ask(path, 'echo')), { code: 'WSLB_CONTROL' })
  for (const { socket } of idle) socket.destroy()
  const answered = (): Promise<unknown> => ask(path, 'echo', { input: { a: 1 } }).catch(answered)
  t.same(await answered(), { a: 1 })
})

t.test('calls that are not finished soon make room for others', async (t) => {
  const { path } = await openServer(t)
  const half = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{'
  const clients = await Promise.all(Array.from({ length: 64 }, () => rawClient(t, path)))
  const startedAt = performance.now()
  for (const { socket } of clients) socket.write(half)
  await Promise.all(clients.map((client) => client.has(/^HTTP\/1\.1 408 /)))
  const answered = (): Promise<unknown> => ask(path, 'echo', { input: { a: 1 } }).catch(answered)
  t.same(await answered(), { a: 1 })
  const took = performance.now() - startedAt
  t.ok(took < 4_000, `after ${Math.round(took)} ms`)
})

t.test('an answer that takes its time shows signs of life, and a client that leaves aborts it', async (t) => {
  const clock = new FastClock(100)
  let left: AbortSignal | undefined
  const { path } = await openServer(
    t,
    { wait: ({ signal }) => new Promise(() => (left = signal)) },
    { clock },
  )
  const client = await rawClient(t, path)
  client.socket.write('POST /wait HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.has(/\r\n\r\n1\r\n\n\r\n1\r\n\n\r\n/)
  t.equal(left?.aborted, false)
  client.socket.destroy()
  await until(() => left!.aborted, 'the signal to abort')
  await until(() => clock.pending === 0, 'its timer to be gone')
})

t.test('a client that does not read, or does not finish its call, is given up', async (t) => {
  let unread: AbortSignal | undefined
  const much: Verb = ({ signal }) => {
    unread = signal
    return { text: 'x'.repeat(10_000_000) }
  }
  const { path } = await openServer(t, { much }, { patience: 100 })
  const reader = await rawClient(t, path)
  reader.socket.pause()
  reader.socket.write('POST /much HTTP/1.1\r\nHost: x\r\n\r\n')
  const writer = await rawClient(t, path)
  writer.socket.write('POST /echo HTTP/1.1\r\nHo')
  await until(() => unread?.aborted === true, 'the one that does not read to be cut')
  const cut = () => writer.ended || writer.socket.destroyed
  await until(cut, 'the one that does not write to be cut')
  t.same(await ask(path, 'echo', { input: { a: 1 } }), { a: 1 })
})

t.test('the client does not wait for the silent, and says when the process ends', async (t) => {
  const { server, path } = await openServer(t, {
    silence: () => new Promise(() => {}),
    begin: ({ progress }) => {
      progress({})
      return new Promise(() => {})
    },
  })
  const silent = await rejection(ask(path, 'silence', { patience: 50 }))
  t.match(silent, { code: 'WSLB_CONTROL', message: /no sign of life for 0\.05 s/ })
  const begun = await rejection(ask(path, 'begin', { patience: 50 }))
  t.match(begun, { code: 'WSLB_CONTROL', message: /no sign of life/ })
  const cut = rejection(ask(path, 'begin', { onProgress: () => server.close() }))
  t.match(await cut, { code: 'WSLB_CONTROL', message: /broke off/ })
})

t.test('a process with an open channel and clients ends by itself', async (t) => {
  const at = address(t)
  const script = `
    import { ControlServer } from ${JSON.stringify(runnable('lib/admin/control-server.ts').href)}
    import { connect } from 'node:net'
    const server = new ControlServer(new Map([['wait', ({ progress }) => new Promise(() => progress({}))]]))
    await server.open(${JSON.stringify(at)})
    const client = connect(${JSON.stringify(at.path)}).unref()
    client.write('POST /wait HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
    client.once('data', () => process.stdout.write('waiting'))
    setTimeout(() => {}, 500)
  `
  const child = spawn(process.execPath, [...NODE_ARGS, '--input-type=module', '-e', script])
  let stdout = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.pipe(process.stderr)
  t.same(await once(child, 'close'), [0, null])
  t.equal(stdout, 'waiting')
})
