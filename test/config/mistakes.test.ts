import { join } from 'node:path'
import t from 'tap'
import { createBalancer } from '../../lib/balancer.ts'
import { loadConfig } from '../../lib/config/load-config.ts'
import { ConfigError } from '../../lib/core/errors.ts'
import { registerBackend, type RegisterOptions } from '../../lib/register.ts'

/** What whoever writes this into a config file is told. */
const CASES: readonly (readonly [text: string, message: RegExp])[] = [
  [
    'backends: poll(() => [], { interval: 1 })',
    /lb\.config\.ts:2:\d+: poll: interval: unknown key; known are every, timeout/,
  ],
  ['backends: poll(() => [], { evry: 1 })', /poll: evry: unknown key, did you mean "every"\?/],
  ['backends: dns("a.test:1", { minTTL: "1s" })', /dns: minTTL: unknown key, did you mean "minTtl"\?/],
  ['backends: dns.srv("_a._tcp.b.test", { tiemout: 1 })', /dns: tiemout: .* did you mean "timeout"\?/],
  [
    'backends: redis({ url: "redis://x", kye: "k" })',
    /redis: kye: unknown key; known are url, client, key, /,
  ],
  [
    'backends: redis("redis://me:secret@x")',
    /redis: got a string; expected an object with url, .*: redis\(\{ url: "redis:\/\/…" \}\)\n/,
  ],
  ['backends: redis()', /redis: got undefined; expected an object with url, client, /],
  ['backends: redis({})', /redis: expected either url or client/],
  ['backends: Promise.resolve([])', /^backends: got a promise; await it, or give the function that makes it/],
  ['backends: async function* () {}', /^backends: got a function; a generator function is to be called/],
  ['backends: function* () {}', /^backends: got a function; a generator function is to be called/],
  ['backends: [], sticky: learned("sockjs", { foo: 1 })', /learned: foo: unknown key; known are max, ttl/],
  ['backends: [], sticky: stickyCookie({ nme: "x" })', /stickyCookie: nme: .* did you mean "name"\?/],
  ['backends: [], sticky: hash()', /^sticky: got an object; a policy is for balance; .* hashBy\(…\)$/],
  ['backends: [], sticky: ["cookie", hash()]', /^sticky\[1\]: got an object; a policy is for balance/],
  ['backends: [], sticky: learned', /^sticky: got a function; learned is to be called: learned\(…\)$/],
  ['backends: [], sticky: stickyCookie', /^sticky: .*; stickyCookie is to be called: stickyCookie\(\)$/],
  [
    'backends: [], balance: hashBy(query("room"))',
    /^balance: got an object; a strategy is for sticky; a policy by a key is hash\(\{ key: … \}\)$/,
  ],
  ['backends: [], balance: hashBy()', /hashBy: got undefined; expected a key: clientIp\(\), /],
  ['backends: [], balance: p2c', /^balance: got a function; p2c is to be called: p2c\(\)$/],
  ['backends: [], balance: hash({ kee: query("room") })', /hash: kee: unknown key, did you mean "key"\?/],
  ['backends: [], balance: hash({ key: clientIp({ ipv4: 24 }) })', /clientIp: ipv4: unknown key/],
]

t.test('a slip of the fingers is refused, and the message says what helps', async (t) => {
  const names = 'clientIp, dns, hash, hashBy, learned, p2c, poll, query, redis, stickyCookie'
  for (const [text, message] of CASES) {
    const config = `import { ${names} } from 'wslb'\nexport default { ${text} }\n`
    const file = join(t.testdir({ 'lb.config.ts': config }), 'lb.config.ts')
    const refusal = loadConfig(file).then((config) => void createBalancer(config))
    const error = await refusal.catch((error: unknown) => error)
    if (!(error instanceof ConfigError)) t.fail(`${text} is taken`)
    else t.match(error.message, message, text)
  }
})

t.test('a backend that registers itself is told, too', async (t) => {
  const options = { redis: 'redis://127.0.0.1:1', url: 'http://127.0.0.1:3000' }
  const register = (options: unknown) => () => registerBackend(options as RegisterOptions)
  t.throws(register({ ...options, wieght: 2 }), {
    code: 'WSLB_CONFIG_INVALID',
    message: 'registerBackend: wieght: unknown key, did you mean "weight"?',
  })
  t.throws(register('redis://x'), {
    message: /^registerBackend: got a string; expected an object with redis, url/,
  })
})

t.test('who has made a policy that is a strategy too may use it as both', async (t) => {
  const both = { name: 'both', pick: (all: readonly never[]) => all[0]!, find: () => undefined }
  t.ok(createBalancer({ backends: [], balance: both, sticky: both }))
})
