import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import t from 'tap'
import { ask, get, open, refused } from './clients.ts'
import { runExample } from './run-example.ts'

t.test('hooks-jwt: only a valid token reaches a backend, which hears whose it is', async (t) => {
  const { url, line } = await runExample(t, 'hooks-jwt')
  const token = (await line(/^A token/)).split(': ')[1]!
  const authorization = `Bearer ${token}`

  t.match((await get(url, { authorization, 'x-user': 'mallory' })).body, /^hello from (red|blue), ada\n$/)
  const { client, greeting } = await open(`${url}/?token=${token}`)
  t.match(greeting, /, ada$/, 'the token may stand in the query')
  t.match(await line(/^ada is on/), /^ada is on (red|blue)$/)
  client.terminate()

  t.equal((await get(url)).status, 401)
  t.equal(await refused(url), 401)
  const [header, payload, signature] = token.split('.')
  const alter = (change: object) =>
    Buffer.from(JSON.stringify({ sub: 'ada', exp: 9e9, ...change })).toString('base64url')
  const forged = {
    'another payload': `${header}.${alter({ sub: 'root' })}.${signature}`,
    'no signature': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`,
    'another key': resign(`${header}.${payload}`, 'guess'),
    expired: resign(`${header}.${alter({ exp: 1 })}`),
    'no expiry': resign(`${header}.${alter({ exp: undefined })}`),
    'not a token': 'x',
  }
  for (const [name, token] of Object.entries(forged)) {
    t.equal((await get(url, { authorization: `Bearer ${token}` })).status, 401, name)
  }
})

function resign(signed: string, secret = 'an example: use 32 random bytes'): string {
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

t.test('hooks-origin: pages of other sites get no WebSocket', async (t) => {
  const { url } = await runExample(t, 'hooks-origin')
  const { client, greeting } = await open(url, { origin: 'https://example.com' })
  t.match(greeting, /^hello from (red|blue)$/)
  client.terminate()
  t.equal(await refused(url, { origin: 'https://evil.example' }), 403)
  t.equal(await refused(url, { origin: 'https://example.com.evil.example' }), 403)
  t.equal(await refused(url, { origin: 'null' }), 403)
  const other = await open(url)
  t.ok(other.greeting, 'no browser, no Origin, no cookies to abuse')
  other.client.terminate()
})

t.test('hooks-api-key: the key is asked for, exchanged for a name, and stops here', async (t) => {
  const { url, line } = await runExample(t, 'hooks-api-key')
  t.match((await get(url, { 'x-api-key': 'key-of-ada' })).body, /, ada\n$/)
  t.match(await line(/^ada: 200$/), /200/, 'the context reaches the events')
  const { client, greeting } = await open(url, { headers: { 'x-api-key': 'key-of-bob', 'x-user': 'ada' } })
  t.match(greeting, /, bob$/)
  client.terminate()
  t.equal((await get(url)).status, 401)
  t.equal((await get(url, { 'x-api-key': 'key-of-eve' })).status, 401)
  t.equal(await refused(url, { headers: { 'x-api-key': '' } }), 401)
})

t.test(
  'hooks-canary: testers get the new version, all others the old one, whatever their cookie says',
  async (t) => {
    const { url } = await runExample(t, 'hooks-canary')
    const tester = { 'x-canary': '1' }
    for (let i = 0; i < 10; i++) {
      t.match((await get(url)).body, /^hello from stable-[12]\n$/)
      t.equal((await get(url, tester)).body, 'hello from canary-1\n')
    }
    const stable = await get(url)
    t.equal((await get(url, { cookie: stable.cookie! })).body, stable.body, 'sticky within a version')
    const moved = await get(url, { ...tester, cookie: stable.cookie! })
    t.equal(moved.body, 'hello from canary-1\n')
    t.match((await get(url, { cookie: moved.cookie! })).body, /stable/)
    const { client, greeting } = await open(url, { headers: tester })
    t.equal(greeting, 'hello from canary-1')
    client.terminate()
  },
)

t.test(
  'hooks-select: a tenant stays on its backend, a tester gets the canary, others are spread',
  async (t) => {
    const { url } = await runExample(t, 'hooks-select')
    for (let i = 0; i < 5; i++) {
      t.equal((await get(url, { 'x-tenant': 'acme' })).body, 'hello from blue\n')
      t.equal((await get(url, { 'x-tenant': 'globex' })).body, 'hello from green\n')
      t.equal((await get(url, { 'x-tenant': 'acme', 'x-canary': '1' })).body, 'hello from canary\n')
      t.match((await get(url)).body, /^hello from (blue|green)\n$/, 'the canary has weight 0')
    }
    const { client, greeting } = await open(url, { headers: { 'x-tenant': 'globex' } })
    t.equal(greeting, 'hello from green')
    client.terminate()
  },
)

t.test('message-filter: messages are refused, changed and answered, on that route only', async (t) => {
  const { url, line } = await runExample(t, 'message-filter')
  const { client, greeting } = await open(`${url}/chat/1`)
  const name = greeting.replace('hello from ', '')
  t.equal(await ask(client, 'good day'), `${name}: good day`)
  t.equal(await ask(client, 'what the heck'), `${name}: what the ***`)
  t.equal(await ask(client, '/ping'), '/pong')
  client.send('/admin drop')
  t.equal(await ask(client, 'still here'), `${name}: still here`, 'the one before it was dropped')
  const closed = once(client, 'close') as Promise<[number, Buffer]>
  client.send('x'.repeat(281))
  const [code, reason] = await closed
  t.same([code, String(reason)], [1008, '280 characters at most'])
  t.equal(await line(/^closed by the hook/), 'closed by the hook: as it said')

  const admin = await open(`${url}/chat/1?role=admin`)
  t.match(await ask(admin.client, '/admin drop'), /: \/admin drop$/)
  const other = await open(url)
  t.match(await ask(other.client, 'what the heck'), /: what the heck$/)
  for (const { client } of [admin, other]) client.terminate()
})
