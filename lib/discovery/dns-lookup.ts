import { type RecordWithTtl, type SrvRecord } from 'node:dns'
import { type Discovered } from './discovered.ts'
import { type AddressTarget, type ServiceTarget } from './dns-target.ts'

/** The part of `node:dns/promises` that is used. */
export interface DnsResolver {
  resolve4(name: string, options: { ttl: true }): Promise<readonly RecordWithTtl[]>
  resolve6(name: string, options: { ttl: true }): Promise<readonly RecordWithTtl[]>
  resolveSrv(name: string): Promise<readonly SrvRecord[]>
}

export type Family = 4 | 6 | 'any'

const TARGETS_AT_ONCE = 16

/** What DNS says. */
export interface Found {
  readonly backends: readonly Discovered[]
  /** Seconds. */
  readonly ttl: number
}

/** One backend for each address. @throws what DNS answers, other than that there is none of the kind */
export async function byAddress(
  resolver: DnsResolver,
  { name, protocol, port }: AddressTarget,
  family: Family,
): Promise<Found> {
  const records = await addressesOf(resolver, name, family)
  return found(
    records,
    records.map(({ address }) => backendAt(address, port, name, protocol)),
  )
}

/**
 * One backend for each address of each target of the SRV records. Those of the lowest priority number serve; the others
 * are backups (RFC 2782).
 */
export async function byService(
  resolver: DnsResolver,
  { service, protocol }: ServiceTarget,
  family: Family,
): Promise<Found> {
  // A target "." says that there is no such service here.
  const services = (await orNone(resolver.resolveSrv(service))).filter(
    ({ name }) => name !== '' && name !== '.',
  )
  const first = Math.min(...services.map(({ priority }) => priority))
  const addressesByName = await addressesOfAll(resolver, new Set(services.map(({ name }) => name)), family)
  const targets = services.map((record) => ({ record, addresses: addressesByName.get(record.name)! }))
  const backends = targets.flatMap(({ record, addresses }) => {
    const peers = services.filter(({ priority }) => priority === record.priority)
    const settings = { weight: weightOf(record, peers) / addresses.length, backup: record.priority > first }
    return addresses.map(({ address }) => ({
      ...backendAt(address, String(record.port), record.name, protocol),
      ...settings,
    }))
  })
  return found(
    targets.flatMap(({ addresses }) => addresses),
    backends,
  )
}

/**
 * RFC 2782: the share is the weight; beside others, weight 0 is to have a very small chance, here that of the RFC's own
 * algorithm: 1 in (the sum of weights + 1). Where all are 0 there is nothing to choose between.
 */
function weightOf({ weight }: SrvRecord, peers: readonly SrvRecord[]): number {
  if (weight > 0) return weight
  const zeros = peers.filter((peer) => peer.weight === 0).length
  return zeros === peers.length ? 1 : 1 / zeros
}

function backendAt(address: string, port: string, name: string, protocol: string): Discovered {
  const host = address.includes(':') ? `[${address}]` : address
  const number = port || (protocol === 'https:' ? '443' : '80')
  return {
    id: `${host}:${number}`,
    url: `${protocol}//${host}:${number}`,
    host: port ? `${name}:${port}` : name,
    ...(protocol === 'https:' && { tls: { servername: name } }),
  }
}

/** The order of the answer means nothing; the same address is the same backend. */
function found(records: readonly RecordWithTtl[], all: readonly Discovered[]): Found {
  const backends = [...new Map(all.map((backend) => [backend.id!, backend])).values()]
  backends.sort((a, b) => (a.id! < b.id! ? -1 : 1))
  const shortest = records.reduce((least, { ttl }) => Math.min(least, ttl), Infinity)
  // A resolver of the user's own may leave it out.
  return { backends, ttl: Number.isFinite(shortest) ? shortest : 0 }
}

/** Each name once, some at a time: an answer may have thousands of targets. */
async function addressesOfAll(
  resolver: DnsResolver,
  names: ReadonlySet<string>,
  family: Family,
): Promise<ReadonlyMap<string, readonly RecordWithTtl[]>> {
  const addresses = new Map<string, readonly RecordWithTtl[]>()
  const waiting = [...names]
  const work = async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      addresses.set(name, await addressesOf(resolver, name, family).catch(noneIfUnknown))
    }
  }
  try {
    await Promise.all(Array.from({ length: TARGETS_AT_ONCE }, work))
    return addresses
  } finally {
    // After a failure nobody needs the others.
    waiting.length = 0
  }
}

async function addressesOf(resolver: DnsResolver, name: string, family: Family): Promise<RecordWithTtl[]> {
  const [four, six] = await Promise.all([
    family === 6 ? [] : orNone(resolver.resolve4(name, { ttl: true })),
    family === 4 ? [] : orNone(resolver.resolve6(name, { ttl: true })),
  ])
  return [...four, ...six]
}

/** The name is there, and has nothing of that kind: nobody belongs, which is another thing than not to know. */
async function orNone<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  return answer.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENODATA') return []
    throw error
  })
}

/** One target that is gone does not make the others doubtful. */
function noneIfUnknown(error: NodeJS.ErrnoException): never[] {
  if (error.code === 'ENOTFOUND') return []
  throw error
}
