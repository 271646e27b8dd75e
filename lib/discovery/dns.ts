import { Resolver } from 'node:dns/promises'
import { assertOptions } from '../core/assert-options.ts'
import { type Duration } from '../core/duration.ts'
import { sleep } from '../core/sleep.ts'
import { type Discovered } from './discovered.ts'
import { byAddress, byService, type DnsResolver, type Found } from './dns-lookup.ts'
import { type DnsName, dnsTarget, type ServiceName } from './dns-target.ts'
import { inTime } from '../core/in-time.ts'
import { period } from './period.ts'
import { type SourceContext, type SourceOf } from './source.ts'

export interface DnsOptions {
  /** Which addresses: `'any'` are IPv4 and IPv6. @default 'any' */
  family?: 4 | 6 | 'any'
  /** Name servers to ask, `'10.0.0.2'` or `'10.0.0.2:5353'`. @default those of the system */
  servers?: readonly string[]
  /** Asks in place of Node's, whose methods it has. */
  resolver?: DnsResolver
  /** Records are asked for again when their TTL is over, but no sooner than this. @default '1s' */
  minTtl?: Duration
  /** And no later than this. @default '30s' */
  maxTtl?: Duration
  /** For all answers to a look-up together. @default '5s' */
  timeout?: Duration
}

/**
 * Backends by DNS: one for each address of a name, or by SRV records (RFC 2782). Asks name servers, not `/etc/hosts`, and
 * knows no search domains: a name is a whole name.
 * @param name `'chat.internal:3000'`, `'http://chat.internal:3000'`, `'https://…'`: TLS is verified against the name
 * @throws ConfigError for a name or an option that is none
 */
export function dns(name: DnsName, options: DnsOptions = {}): SourceOf<Discovered> {
  const target = dnsTarget(name)
  assertOptions('dns', options, {
    family: true,
    servers: true,
    resolver: true,
    minTtl: true,
    maxTtl: true,
    timeout: true,
  })
  const { family = 'any', minTtl = '1s', maxTtl = '30s', timeout = '5s' } = options
  const [min, max, patience] = [
    period('minTtl', minTtl),
    period('maxTtl', maxTtl),
    period('timeout', timeout),
  ]
  const look = (resolver: DnsResolver): Promise<Found> =>
    'service' in target ? byService(resolver, target, family) : byAddress(resolver, target, family)
  return {
    name: `dns(${target.label})`,
    async *watch(context) {
      const { clock, random, signal } = context
      for (;;) {
        const { backends, ttl } = await lookUp(look, options, patience, context)
        yield backends
        const age = Math.min(Math.max(ttl * 1_000, min), max)
        // Later rather than sooner, or a caching server would say the same again.
        await sleep(age * (1 + 0.1 * random()), clock, signal)
      }
    },
  }
}

/** @param service e.g. `'_ws._tcp.example.com'` */
dns.srv = (service: string, options: DnsOptions & Omit<ServiceName, 'srv'> = {}): SourceOf<Discovered> => {
  const { protocol, ...rest } = options
  return dns({ srv: service, ...(protocol && { protocol }) }, rest)
}

async function lookUp(
  look: (resolver: DnsResolver) => Promise<Found>,
  { resolver, servers }: DnsOptions,
  timeout: number,
  context: SourceContext,
): Promise<Found> {
  // One for each look-up: what it has cached, it would go on saying until the TTL that maxTtl cuts short.
  const own = resolver ? undefined : new Resolver()
  if (servers) own?.setServers(servers)
  try {
    return await inTime(timeout, context, () => look(resolver ?? own!))
  } finally {
    own?.cancel()
  }
}
