import t from 'tap'
import { get, open } from './clients.ts'
import { runExample } from './run-example.ts'

t.test('own-policy: a room has one backend, the rooms share all of them', async (t) => {
  const { url } = await runExample(t, 'own-policy')
  const backends = new Set<string>()
  for (let room = 0; room < 20; room++) {
    const { body, cookie } = await get(`${url}/?room=${room}`)
    backends.add(body)
    t.equal(cookie, undefined, 'no cookie')
    t.equal((await get(`${url}/?room=${room}`)).body, body)
    const { client, greeting } = await open(`${url}/?room=${room}`)
    t.equal(`${greeting}\n`, body)
    client.terminate()
  }
  t.equal(backends.size, 3)
})

t.test('own-probe: who is not ready is down until it is', async (t) => {
  const { url, line } = await runExample(t, 'own-probe')
  t.match(await line(/^blue is suspect/), /warming up$/)
  t.match(await line(/^blue is down/), /warming up$/)
  for (let i = 0; i < 10; i++) t.equal((await get(url)).body, 'hello from red\n')
  t.equal(await line(/^blue is up/), 'blue is up')
  const seen = new Set<string>()
  for (let i = 0; i < 30; i++) seen.add((await get(url)).body)
  t.same([...seen].sort(), ['hello from blue\n', 'hello from red\n'])
})
