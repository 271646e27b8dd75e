import t from 'tap'
import { ask, get, open } from './clients.ts'
import { runExample } from './run-example.ts'

for (const name of ['http-proxy', 'http-proxy-3', 'httpxy']) {
  t.test(`${name} is driven by pick`, async (t) => {
    const { url } = await runExample(t, name)

    const first = await get(url)
    t.match(first.body, /^hello from (red|blue)\n$/)
    t.ok(first.cookie, 'the response carries the sticky cookie')
    const again = await get(url, { cookie: first.cookie! })
    t.equal(again.body, first.body, 'the cookie leads back to the same backend')
    t.equal(again.cookie, undefined, 'and is not set again')

    const fresh = await open(url)
    t.ok(fresh.cookie, 'the 101 carries the sticky cookie too')
    t.equal(await ask(fresh.client, 'ping'), `${fresh.greeting.slice('hello from '.length)}: ping`)
    fresh.client.terminate()
    for (let i = 0; i < 5; i++) {
      const { client, greeting, cookie } = await open(url, { headers: { cookie: first.cookie! } })
      t.equal(`${greeting}\n`, first.body, 'the same cookie holds for upgrades')
      t.equal(cookie, undefined)
      client.terminate()
    }
  })
}
