import http from 'node:http'
import SockJS from 'sockjs-client'
import t from 'tap'
import { systemClock } from '../../lib/core/clock.ts'
import { type App, sockJsApp } from '../support/apps.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { Browser, withBrowsers } from '../support/browser.ts'
import { type AskOptions, ask } from '../support/clients.ts'
import { seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'

/** What the client can do without a document. Browsers fall back to the others, further below. */
const TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'] as const

/** Longer than the `response_limit` of the servers: streaming responses have to end and begin anew. */
const LONG = 'ö€ long '.repeat(1_000)

class Client {
  readonly browser = new Browser()
  readonly messages: string[] = []
  readonly closes: { code: number; reason: string }[] = []
  readonly #url: string
  readonly #transport: string
  #socket: InstanceType<typeof SockJS> | undefined

  constructor(url: string, transport: string) {
    this.#url = url
    this.#transport = transport
  }

  get transport(): string | undefined {
    return (this.#socket as { transport?: string } | undefined)?.transport
  }

  /** Settles when the server has said its name. */
  async open(): Promise<string> {
    const { browser } = this
    // The driver of the WebSocket transport does not use the agent.
    const websocket = {
      get headers() {
        return { cookie: browser.cookie }
      },
    }
    const before = this.messages.length
    this.#socket = browser.run(
      () =>
        new SockJS(`${this.#url}/echo`, null, {
          transports: this.#transport,
          transportOptions: { websocket },
          timeout: 5_000,
        } as SockJS.Options),
    )
    this.#socket.onmessage = ({ data }) => this.messages.push(String(data))
    this.#socket.onclose = ({ code, reason }) => this.closes.push({ code, reason })
    await until(() => this.messages.length > before, `the first message over ${this.#transport}`)
    return this.messages.at(-1)!
  }

  send(text: string): void {
    this.browser.run(() => this.#socket!.send(text))
  }

  async close(): Promise<void> {
    this.browser.run(() => this.#socket!.close())
    await until(() => this.closes.length > 0, 'a close event')
  }
}

async function startAll(t: Scope) {
  const apps = await Promise.all(['red', 'blue', 'green'].map((id) => sockJsApp(t, id)))
  const backends = apps.map(({ id, url }) => ({ id, url }))
  const options = { clock: systemClock, random: seededRandom(11) }
  const started = await startBalancer(t, { backends, balance: 'random' }, options)
  withBrowsers(t)
  return { apps, ...started }
}

/** A request that comes to another server than those before it makes a second session there, or 404. */
function sessions(apps: App[]): number {
  return apps.reduce((sum, app) => sum + app.clients(), 0)
}

for (const transport of TRANSPORTS) {
  t.test(`${transport}: every session stays on one server, messages in order`, async (t) => {
    const { apps, url } = await startAll(t)
    const clients = Array.from({ length: 9 }, () => new Client(url, transport))
    const homes = await Promise.all(clients.map((client) => client.open()))
    t.same(new Set(homes), new Set(['red', 'blue', 'green']), 'all three servers have clients')
    t.same(new Set(clients.map((client) => client.transport)), new Set([transport]))

    const texts = [...Array.from({ length: 20 }, (_, i) => `message ${i}`), LONG, 'after the long one']
    for (const text of texts) for (const client of clients) client.send(text)
    await until(
      () => clients.every(({ messages }) => messages.length === texts.length + 1),
      'every message to come back',
    )
    t.same(
      clients.map(({ messages }) => messages.slice(1)),
      homes.map((home) => texts.map((text) => `${home}: ${text}`)),
    )

    await Promise.all(clients.map((client) => client.close()))
    t.same(new Set(clients.flatMap(({ closes }) => closes.map(({ code }) => code))), new Set([1000]))
    t.equal(sessions(apps), clients.length)
  })
}

t.test('jsonp-polling: a session stays on one server', async (t) => {
  const { apps, url } = await startAll(t)
  const browsers = Array.from({ length: 6 }, () => new Browser())
  const homes = await Promise.all(
    browsers.map(async (browser, i) => {
      const get = (path: string) => browse(browser, `${url}/echo/${i}/jsonp${i}/${path}`)
      const post = (d: string[]) =>
        browse(browser, `${url}/echo/${i}/jsonp${i}/jsonp_send`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: `d=${encodeURIComponent(JSON.stringify(d))}`,
        })
      await browse(browser, `${url}/echo/info`)
      t.equal((await get('jsonp?c=cb')).body, '/**/cb("o");\r\n')
      const welcome = (await get('jsonp?c=cb')).body
      const [, home = ''] = /^\/\*\*\/cb\("a\[\\"(\w+)\\"\]"\);/.exec(welcome) ?? []
      for (const text of ['one', 'two "quoted"', 'drei €']) {
        // The poll is under way when the message is sent, as in a browser.
        const poll = get('jsonp?c=cb')
        t.equal((await post([text])).body, 'ok')
        t.equal(
          (await poll).body,
          `/**/cb(${JSON.stringify(`a${JSON.stringify([`${home}: ${text}`])}`)});\r\n`,
        )
      }
      return home
    }),
  )
  t.ok(new Set(homes).size > 1)
  t.equal(sessions(apps), browsers.length)
})

t.test('htmlfile: the stream arrives piece by piece', async (t) => {
  const { apps, url } = await startAll(t)
  const browser = new Browser()
  await browse(browser, `${url}/echo/info`)
  const session = `${url}/echo/0/htmlfile0`
  const outgoing = browser.run(() => http.get(`${session}/htmlfile?c=cb`))
  const stream = await new Promise<http.IncomingMessage>((resolve) => outgoing.once('response', resolve))
  let page = ''
  stream.setEncoding('utf8').on('data', (piece: string) => (page += piece))
  await until(() => page.includes('p("o");') && page.includes('p("a['), 'the beginning of the stream')
  const [, home] = /p\("a\[\\"(\w+)\\"\]"\)/.exec(page)!
  for (const text of ['one', 'two', 'three']) {
    const sent = await browse(browser, `${session}/xhr_send`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: JSON.stringify([text]),
    })
    t.equal(sent.status, 204)
    await until(() => page.includes(`p("a[\\"${home}: ${text}\\"]");`), 'the message')
  }
  outgoing.destroy()
  t.equal(sessions(apps), 1)
})

t.test('the pages and requests around the transports pass as they are', async (t) => {
  const { url } = await startAll(t)
  const browser = new Browser()
  const iframe = await browse(browser, `${url}/echo/iframe.html`)
  t.equal(iframe.status, 200)
  t.match(iframe.body, 'SockJS.bootstrap_iframe()')
  const { etag = '' } = iframe.headers
  const cached = await browse(browser, `${url}/echo/iframe.html`, { headers: { 'if-none-match': etag } })
  t.equal(cached.status, 304)
  t.equal(cached.body, '')

  const fresh = await ask(`${url}/echo/0/pages/xhr`, { method: 'POST' })
  t.equal(fresh.body, 'o\n')
  t.match(
    fresh.headers['set-cookie'],
    [/^JSESSIONID=dummy/, /^server=/],
    'our cookie comes after that of the application',
  )

  const preflight = await browse(browser, `${url}/echo/0/pages/xhr_send`, {
    method: 'OPTIONS',
    headers: { origin: 'http://else.test', 'access-control-request-headers': 'content-type' },
  })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers['access-control-allow-origin'], 'http://else.test')
  t.equal(preflight.headers['access-control-allow-credentials'], 'true')
  const info = JSON.parse((await browse(browser, `${url}/echo/info`)).body) as { websocket: boolean }
  t.equal(info.websocket, true)
  t.equal((await browse(browser, `${url}/echo`)).body, 'Welcome to SockJS!\n')
  const lost = await browse(browser, `${url}/echo/0/unheard-of/xhr_send`, { method: 'POST', body: '["x"]' })
  t.equal(lost.status, 404)
})

for (const transport of TRANSPORTS) {
  t.test(`${transport}: after its server has died a client is served by another`, async (t) => {
    const { apps, url } = await startAll(t)
    const clients = Array.from({ length: 6 }, () => new Client(url, transport))
    const homes = await Promise.all(clients.map((client) => client.open()))
    const dead = apps.find(({ id }) => id === homes[0])!
    const before = clients[0]!.browser.cookies.get('server')
    dead.die()
    const orphans = clients.filter((_, i) => homes[i] === dead.id)
    await until(() => orphans.every(({ closes }) => closes.length > 0), 'close events')
    t.same(
      clients.filter((_, i) => homes[i] !== dead.id).flatMap(({ closes }) => closes),
      [],
      'the others notice nothing',
    )
    const next = await Promise.all(orphans.map((client) => client.open()))
    t.notOk(next.includes(dead.id))
    t.not(clients[0]!.browser.cookies.get('server'), before, 'the cookie was rewritten')
    for (const client of clients) client.send('still here')
    await until(() => clients.every(({ messages }) => messages.at(-1)!.endsWith(': still here')), 'echoes')
    for (const client of clients) await client.close()
    t.pass('everybody is served')
  })
}

function browse(browser: Browser, url: string, options: AskOptions = {}) {
  return browser.run(() => ask(url, { agent: http.globalAgent, ...options }))
}
