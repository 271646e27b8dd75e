import t, { type Test } from 'tap'
import { resolveBackends } from '../../lib/config/resolve-backends.ts'
import { dns } from '../../lib/discovery/dns.ts'
import { type DnsResolver } from '../../lib/discovery/dns-lookup.ts'
import { fed, sourceContract } from '../contract/source.ts'
import { ManualClock, settled } from '../support/clock.ts'
import { DnsServer, type DnsRecord } from '../support/dns-server.ts'
import { until } from '../support/until.ts'

const SERVICE = '_ws._tcp.example.test'

/** Ports cannot be told by addresses: the contract is run by SRV records. */
async function bench(t: Test, fate: 'SERVFAIL' | 'NXDOMAIN' | 'silent') {
  const server = await DnsServer.start(t)
  server.zone.set('host.test', [{ type: 'A', data: '127.0.0.1', ttl: 1 }])
  const set = (ports: readonly number[]) => {
    server.fates.delete(SERVICE)
    server.zone.set(
      SERVICE,
      ports.map((port) => ({ type: 'SRV', data: `1 1 ${port} host.test` })),
    )
  }
  set([1, 2])
  return {
    source: dns.srv(SERVICE, { servers: [server.address], timeout: '10s' }),
    set,
    fail: () => server.fates.set(SERVICE, fate),
    empty: () => set([]),
    open: () => 0,
  }
}

for (const fate of ['SERVFAIL', 'NXDOMAIN', 'silent'] as const) {
  t.test(`a name server that says ${fate}`, async () => sourceContract((t) => bench(t, fate)))
}

async function found(t: Test, source: ReturnType<typeof dns>, count = 1) {
  const result = fed(t, source)
  result.feed.start()
  await until(() => result.members().length >= count || result.failures.length > 0, 'an answer')
  return { ...result, ids: () => result.members().map(({ id }) => id) }
}

const a = (data: string, ttl = 60): DnsRecord => ({ type: 'A', data, ttl })
const aaaa = (data: string, ttl = 60): DnsRecord => ({ type: 'AAAA', data, ttl })
const srv = (data: string): DnsRecord => ({ type: 'SRV', data })

t.test('one backend for each address, IPv4 and IPv6; with TLS verified against the name', async (t) => {
  const server = await DnsServer.start(t)
  const servers = [server.address]
  server.zone.set('chat.test', [a('10.0.0.2'), a('10.0.0.1'), aaaa('fd00::7'), a('10.0.0.1')])
  const plain = await found(t, dns('chat.test:3000', { servers }), 3)
  t.same(plain.ids(), ['10.0.0.1:3000', '10.0.0.2:3000', '[fd00::7]:3000'])
  t.match(plain.members()[2], {
    url: { href: 'http://[fd00::7]:3000/' },
    settings: { host: 'chat.test:3000' },
  })
  t.equal(plain.feed.name, 'dns(chat.test:3000)')
  const secure = await found(t, dns('https://chat.test', { servers, family: 4 }), 2)
  t.match(secure.members(), [
    {
      id: '10.0.0.1:443',
      url: { href: 'https://10.0.0.1/' },
      settings: { host: 'chat.test', tls: { servername: 'chat.test' }, weight: 1, backup: false },
    },
    { id: '10.0.0.2:443' },
  ])
  const six = await found(t, dns('http://chat.test', { servers, family: 6 }))
  t.same(six.ids(), ['[fd00::7]:80'])
})

t.test(
  'SRV: the lowest priority number serves, the others are backups; weights as RFC 2782 has them',
  async (t) => {
    const server = await DnsServer.start(t)
    server.zone.set(SERVICE, [
      srv('20 5 81 spare.test'),
      srv('10 60 80 one.test'),
      srv('10 30 80 two.test'),
      srv('10 0 80 zero.test'),
      srv('30 0 82 last.test'),
      srv('30 0 83 last.test'),
      srv('10 9 80 gone.test'),
    ])
    server.zone.set('one.test', [a('10.0.0.1'), a('10.0.0.11')])
    server.zone.set('two.test', [a('10.0.0.2')])
    server.zone.set('zero.test', [a('10.0.0.3')])
    server.zone.set('spare.test', [a('10.0.0.4')])
    server.zone.set('last.test', [a('10.0.0.5')])
    const options = { servers: [server.address], protocol: 'https' as const }
    const { members, feed } = await found(t, dns.srv(SERVICE, options), 7)
    t.equal(feed.name, `dns(${SERVICE})`)
    t.same(
      members().map(({ id, settings: { weight, backup, tls } }) => [id, weight, backup, tls?.servername]),
      [
        ['10.0.0.11:80', 30, false, 'one.test'],
        ['10.0.0.1:80', 30, false, 'one.test'],
        ['10.0.0.2:80', 30, false, 'two.test'],
        ['10.0.0.3:80', 1, false, 'zero.test'],
        ['10.0.0.4:81', 5, true, 'spare.test'],
        ['10.0.0.5:82', 1, true, 'last.test'],
        ['10.0.0.5:83', 1, true, 'last.test'],
      ],
    )
  },
)

t.test('a service whose target is "." is not there: an empty list', async (t) => {
  const server = await DnsServer.start(t)
  server.zone.set(SERVICE, [srv('0 0 0 .')])
  const { failures } = await found(t, dns({ srv: SERVICE }, { servers: [server.address] }))
  t.match(failures, [/empty/])
})

t.test('one target that cannot be asked for makes the whole answer doubtful', async (t) => {
  const server = await DnsServer.start(t)
  server.zone.set(SERVICE, [srv('1 1 80 one.test'), srv('1 1 80 two.test')])
  server.zone.set('one.test', [a('10.0.0.1')])
  server.fates.set('two.test', 'SERVFAIL')
  const { failures, members } = await found(t, dns.srv(SERVICE, { servers: [server.address] }))
  t.match(failures, [/two\.test/])
  t.same(members(), [])
})

t.test('so do IPv6 addresses that cannot be asked for, unless IPv4 is all that is wanted', async (t) => {
  const server = await DnsServer.start(t)
  server.zone.set('chat.test', [a('10.0.0.1')])
  server.fates.set('chat.test AAAA', 'SERVFAIL')
  const both = await found(t, dns('chat.test:80', { servers: [server.address] }))
  t.match(both.failures, [/queryAaaa ESERVFAIL chat\.test/])
  const four = await found(t, dns('chat.test:80', { servers: [server.address], family: 4 }))
  t.same(four.ids(), ['10.0.0.1:80'])
})

t.test('an answer that does not fit into UDP is asked for over TCP', async (t) => {
  const server = await DnsServer.start(t)
  const all = Array.from({ length: 100 }, (_, index) => a(`10.0.1.${index}`))
  server.zone.set('chat.test', all)
  server.fates.set('chat.test', 'truncated')
  const { ids } = await found(t, dns('chat.test:80', { servers: [server.address], family: 4 }), 100)
  t.equal(ids().length, 100)
  t.same(server.asked, ['chat.test A udp', 'chat.test A tcp'])
})

t.test(
  'it is asked again when the TTL is over, within bounds; what is cached nowhere is asked for',
  async (t) => {
    const clock = new ManualClock()
    const asked: number[] = []
    let ttl = 10
    const resolver: DnsResolver = {
      resolve4: async () => {
        asked.push(clock.now())
        return [
          { address: '10.0.0.1', ttl: 99 },
          { address: '10.0.0.2', ttl },
        ]
      },
      resolve6: async () => [],
      resolveSrv: async () => [],
    }
    const { feed } = fed(t, dns('chat.test:80', { resolver, minTtl: '2s', maxTtl: '30s' }), clock)
    const next = async (ms: number) => {
      const before = asked.length
      await clock.advance(ms - 1)
      t.equal(asked.length, before, `not before ${ms} ms`)
      await clock.advance(1)
      t.equal(asked.length, before + 1)
    }
    feed.start()
    await settled()
    t.same(asked, [0])
    ttl = 0
    await next(10_500) // 5 % later, as chance has it here
    ttl = 3_600
    await next(2_100)
    await next(31_500)
    feed.stop()
    await settled()
    t.equal(clock.pending, 0)
  },
)

t.test('a TTL longer than maxTtl is not sat out in a cache', async (t) => {
  const server = await DnsServer.start(t)
  server.zone.set('chat.test', [a('10.0.0.1', 600)])
  const source = dns('chat.test:80', { servers: [server.address], maxTtl: '1s', family: 4 })
  const { ids } = await found(t, source)
  server.zone.set('chat.test', [a('10.0.0.2', 600)])
  await until(() => ids().join() === '10.0.0.2:80', 'the new address')
})

t.test('names that are none are refused with the remedy', async (t) => {
  for (const [name, message] of [
    ['', /^dns: got ; expected a name/],
    ['chat.test:0x', /expected a name/],
    ['ftp://chat.test', /expected a name/],
    ['http://chat.test/path', /expected a name/],
    ['http://a:b@chat.test', /expected a name/],
    ['10.0.0.1:80', /an address needs no DNS/],
    ['http://[::1]:80', /an address needs no DNS/],
    [17, /expected a name/],
    [{ srv: 'example.com' }, /the name of a service like/],
    [{ srv: SERVICE, protocol: 'ws' }, /"http" or "https"/],
  ] as const) {
    t.throws(() => dns(name as never), { code: 'WSLB_CONFIG_INVALID', message }, JSON.stringify(name))
  }
  t.throws(() => dns('chat.test', { minTtl: 0 }), { message: /^minTtl/ })
  t.same(resolveBackends([{ url: 'http://10.0.0.1', host: 'chat.test' }])[0]!.settings.host, 'chat.test')
})

/** A resolver of the user's own, by name. */
function resolverOf(services: readonly string[], ttl: unknown) {
  const seen = { asked: [] as string[], now: 0, most: 0 }
  const resolver = {
    resolve4: async (name: string) => {
      seen.asked.push(name)
      seen.most = Math.max(seen.most, ++seen.now)
      await settled()
      seen.now--
      return [{ address: `10.0.0.${seen.asked.length % 250}`, ttl }]
    },
    resolve6: async () => [],
    resolveSrv: async () =>
      services.map((name, index) => ({ name, port: 1_000 + index, priority: 1, weight: 1 })),
  } as unknown as DnsResolver
  return { resolver, seen }
}

t.test('a TTL that is no number counts as 0: minTtl and maxTtl hold', async (t) => {
  for (const ttl of [NaN, undefined, Infinity, -Infinity, 'soon']) {
    const clock = new ManualClock()
    const { resolver, seen } = resolverOf([], ttl)
    const { feed, failures } = fed(t, dns('chat.test', { resolver, minTtl: '2s' }), clock)
    feed.start()
    await settled()
    await settled()
    await clock.advance(1_999)
    t.equal(seen.asked.length, 1, String(ttl))
    await clock.advance(201)
    t.equal(seen.asked.length, 2, String(ttl))
    t.same(failures, [])
    feed.stop()
  }
})

t.test('the targets of many SRV records are asked for once each, some at a time', async (t) => {
  const names = Array.from({ length: 500 }, (_, index) => `n${index % 250}.test`)
  const { resolver, seen } = resolverOf(names, 60)
  const { members } = await found(t, dns.srv(SERVICE, { resolver }), 500)
  t.equal(members().length, 500)
  t.equal(seen.asked.length, 250)
  t.equal(seen.most, 16)
})
