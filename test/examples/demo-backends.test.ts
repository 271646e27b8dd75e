import { once } from 'node:events'
import t, { type Test } from 'tap'
import { DemoBackend } from '../../examples/demo/demo-backend.ts'
import { Room } from '../../examples/demo/room.ts'
import { demoBackends } from '../../examples/demo/backends.ts'
import { ChatClient } from './chat-client.ts'
import { get } from './clients.ts'

/** A generation of the config that names these backends. */
async function generation(t: Test, ...names: string[]) {
  const controller = new AbortController()
  t.teardown(() => controller.abort())
  const backends = await demoBackends(names, controller.signal)
  return { end: () => controller.abort(), urls: new Map(backends.map(({ id, url }) => [id, url])) }
}

const serves = (url: string | undefined) =>
  get(url!).then(
    ({ status }) => status === 200,
    () => false,
  )

t.test('the next generation keeps the servers it names again; one that nobody names stops', async (t) => {
  const first = await generation(t, 'red', 'green')
  const client = await ChatClient.enter(first.urls.get('green')!)
  const second = await generation(t, 'green', 'blue')
  first.end()

  t.equal(second.urls.get('green'), first.urls.get('green'))
  await client.sees((backends) => backends.map(({ name }) => name).join() === 'green,blue')
  t.equal(await serves(first.urls.get('red')), false, 'red is stopped')
  t.ok(await serves(second.urls.get('blue')))
  t.equal(client.closeCode, undefined, 'nobody on green noticed')
  client.leave()
})

t.test('a generation that is rejected takes nothing with it', async (t) => {
  const good = await generation(t, 'red')
  const rejected = await generation(t, 'red', 'yellow')
  rejected.end()
  t.ok(await serves(good.urls.get('red')))
  t.equal(await serves(rejected.urls.get('yellow')), false)
})

t.test('a name given twice is one server', async (t) => {
  const { end, urls } = await generation(t, 'red', 'red')
  t.equal(urls.size, 1)
  end()
  t.equal(await serves(urls.get('red')), false)
})

t.test('a backend that is taken out lives on until its last client has gone', async (t) => {
  const { end, urls } = await generation(t, 'red')
  const url = urls.get('red')!
  const [first, last] = [await ChatClient.enter(url), await ChatClient.enter(url)]
  end()
  first.leave()
  await last.until(({ backends }) => backends?.[0]?.clients === 1)
  last.say('still here')
  await last.hears('still here')
  t.ok(await serves(url))
  last.socket.close(1000)
  await last.closed()
  t.equal(await serves(url), false)
})

t.test('but not for ever: it says goodbye with 1012', async () => {
  const backend = await DemoBackend.start('red', new Room())
  const client = await ChatClient.enter(backend.url)
  backend.retire(20)
  t.equal(await client.closed(), 1012)
})

t.test('what one client says reaches the clients of all backends, as text', async (t) => {
  const { urls } = await generation(t, 'red', 'blue')
  const [red, blue] = await Promise.all([...urls.values()].map((url) => ChatClient.enter(url)))
  const text = '<img src=x onerror=alert(1)> & "quotes"'
  red!.say(text, '  <b>ada</b> ')
  t.match(await blue!.hears(text), { author: '<b>ada</b>', text, backend: 'red' })
  const late = await ChatClient.enter(urls.get('blue')!)
  t.match(late.hello.history?.at(-1), { text, backend: 'red' }, 'who comes later sees it too')
  for (const client of [red, blue, late]) client!.leave()
})

t.test('what a client sends is bounded', async (t) => {
  const { urls } = await generation(t, 'red')
  const url = urls.get('red')!
  const client = await ChatClient.enter(url)
  for (const bad of [
    '',
    'not json',
    'null',
    '7',
    '[]',
    '{}',
    '{"author":1,"text":"x"}',
    '{"author":"a","text":"  "}',
  ]) {
    client.socket.send(bad)
  }
  client.say('x'.repeat(600), 'y'.repeat(60))
  const { message } = await client.until(({ type }) => type === 'message')
  t.equal(message!.text.length, 500, 'the first message that was heard, cut to its bound')
  t.equal(message!.author.length, 24)
  for (let i = 0; i < 60; i++) client.say(`message ${i}`)
  await client.hears('message 59')
  const late = await ChatClient.enter(url)
  t.equal(late.hello.history?.length, 50)
  client.say('x'.repeat(5_000))
  t.equal(await client.closed(), 1009)
  late.leave()
})

t.test('a stopped backend cuts its clients, refuses new ones, and comes back on the same port', async (t) => {
  const { urls } = await generation(t, 'red', 'blue')
  const url = urls.get('red')!
  const [onRed, onBlue] = await Promise.all([...urls.values()].map((url) => ChatClient.enter(url)))
  const answer = await get(`${url}/stop?seconds=1`, {}, { method: 'POST' })
  t.same([answer.status, JSON.parse(answer.body)], [202, { stopped: 'red', seconds: 1 }])
  t.equal(await onRed!.closed(), 1006)
  await onBlue!.sees(([red]) => red!.stopped)
  t.equal(await serves(url), false)

  const seen = onBlue!.events.length
  while (onBlue!.events.slice(seen).every(({ backends }) => backends?.[0]?.stopped !== false)) {
    await once(onBlue!.socket, 'message')
  }
  t.ok(await serves(url))
  onBlue!.leave()
})

t.test('requests that make no sense do no harm', async (t) => {
  const { urls } = await generation(t, 'red')
  const url = urls.get('red')!
  t.equal((await get(`${url}//`)).status, 404)
  t.equal((await get(`${url}/stop`)).status, 404, 'only a POST stops')
  await t.rejects(ChatClient.enter(`${url}/elsewhere`), /404/)
  t.ok(await serves(url))
})
