import t from 'tap'
import { ask, get, open, refused } from './clients.ts'
import { runExample } from './run-example.ts'

for (const [name, self] of Object.entries({
  'node-http': 'the server itself',
  express: 'Express',
  fastify: 'Fastify',
})) {
  t.test(`${name}: balanced and own routes live side by side`, async (t) => {
    const { url } = await runExample(t, name)

    const balanced = await get(`${url}/chat`)
    t.match(balanced.body, /^hello from (red|blue)\n$/)
    t.equal((await get(`${url}/chat`, { cookie: balanced.cookie! })).body, balanced.body, 'sticky')
    t.equal((await get(`${url}/hello`)).body, `hello from ${self}\n`, 'its own route')
    t.equal((await get(`${url}/nowhere`)).status, 404)

    const tunnel = await open(`${url}/chat/room`, { headers: { cookie: balanced.cookie! } })
    t.equal(`${tunnel.greeting}\n`, balanced.body, 'the upgrade goes to the backend of the cookie')
    t.match(await ask(tunnel.client, 'ping'), /ping$/)
    tunnel.client.terminate()

    const own = await open(`${url}/own`)
    t.equal(own.greeting, `hello from ${self}`, 'its own WebSocket endpoint')
    own.client.terminate()
    t.equal(await refused(`${url}/nowhere`), 404)
  })
}

t.test('a body reaches the backend from inside Express and Fastify', async (t) => {
  for (const name of ['express', 'fastify']) {
    const { url } = await runExample(t, name)
    const answer = await get(
      `${url}/chat`,
      { 'content-type': 'application/json' },
      { method: 'POST', body: '{}' },
    )
    t.match(answer.body, /^hello from (red|blue)\n$/)
  }
})
