// What one pick costs, from ten backends to ten thousand: npm run bench:pick
import { cpus, release } from 'node:os'
import { hash } from '../lib/balancing/hash.ts'
import { leastConnections } from '../lib/balancing/least-connections.ts'
import { leastTime } from '../lib/balancing/least-time.ts'
import { p2c } from '../lib/balancing/p2c.ts'
import { random } from '../lib/balancing/random.ts'
import { roundRobin } from '../lib/balancing/round-robin.ts'
import { type Policy } from '../lib/balancing/policy.ts'
import { type Lease } from '../lib/pool/lease.ts'
import { type Pool } from '../lib/pool/pool.ts'
import { plainRequest } from '../test/support/plain.ts'
import { poolOf } from '../test/support/pool.ts'
import { seededRandom } from '../test/support/random.ts'

const POLICIES = [random, roundRobin, leastConnections, p2c, leastTime, knownKeys, newKeys]
const SIZES = [10, 100, 1_000, 10_000]
/** Milliseconds of CPU a figure takes at least, three times; the best counts. */
const LONG_ENOUGH = 100
const request = plainRequest()

/** A pool whose weights differ, so that nobody gets away with a short cut for equals. */
function poolWith(policy: Policy, size: number, maxConnections: number): Pool {
  const backends = Array.from({ length: size }, (_, index) => {
    return [`b${index}`, { weight: 1 + (index % 3), maxConnections }] as const
  })
  return poolOf(Object.fromEntries(backends), { policy }, undefined, seededRandom(size))
}

/** Of a thousand clients, one after the other. */
function knownKeys(): Policy {
  let turn = 0
  return { ...hash({ key: () => `client ${turn++ % 1_000}` }), name: 'hash, known keys' }
}

/** Of clients that nobody has seen before. */
function newKeys(): Policy {
  let turn = 0
  return { ...hash({ key: () => `client ${turn++}` }), name: 'hash, new keys' }
}

/** Nanoseconds for what `step` does. */
function nanoseconds(step: () => void): number {
  for (let warm = 0; warm < 200; warm++) step()
  const runs = Array.from({ length: 3 }, () => {
    // CPU time, garbage collection included: what else the machine does is left out.
    const start = process.cpuUsage()
    let count = 0
    let used = 0
    do {
      for (let batch = 0; batch < 50; batch++) step()
      count += 50
      const { user, system } = process.cpuUsage(start)
      used = (user + system) / 1_000
    } while (used < LONG_ENOUGH)
    return (used * 1e6) / count
  })
  return Math.min(...runs)
}

/** Clients that come and stay, as many as leave: each step one of both. The pool, sticky strategies aside, is whole. */
function comeAndGo(policy: Policy, size: number): number {
  const pool = poolWith(policy, size, Infinity)
  const leases: Lease[] = Array.from({ length: size * 4 }, () => pool.acquire(request))
  let oldest = 0
  return nanoseconds(() => {
    leases[oldest]!.release()
    leases[oldest] = pool.acquire(request)
    oldest = (oldest + 1) % leases.length
  })
}

/** Every backend takes one client: whoever is picked is full, and is not a candidate until it is free again. */
function fillAndEmpty(policy: Policy, size: number): number {
  const pool = poolWith(policy, size, 1)
  const leases: Lease[] = []
  let filling = true
  return nanoseconds(() => {
    if (filling) leases.push(pool.acquire(request))
    else leases.pop()!.release()
    if (leases.length === size || leases.length === 0) filling = !filling
  })
}

/** As many leave as come in a pool that is half full: the candidates are others at each pick. */
function halfFull(policy: Policy, size: number): number {
  const pool = poolWith(policy, size, 1)
  const leases: Lease[] = Array.from({ length: size / 2 }, () => pool.acquire(request))
  let oldest = 0
  return nanoseconds(() => {
    leases[oldest]!.release()
    leases[oldest] = pool.acquire(request)
    oldest = (oldest + 1) % leases.length
  })
}

function table(title: string, measure: (policy: Policy, size: number) => number): string {
  const rows = POLICIES.map((make) => {
    const cells = SIZES.map((size) => measure(make(), size).toFixed(0))
    return `| ${make().name} | ${cells.join(' | ')} |`
  })
  const head = `| ${title} | ${SIZES.map((size) => size.toLocaleString('en')).join(' | ')} |`
  return [head, `| --- |${SIZES.map(() => ' ---: |').join('')}`, ...rows].join('\n')
}

console.log(`${cpus()[0]?.model}, Linux ${release()}, Node ${process.version}; nanoseconds\n`)
console.log(table('come and go', comeAndGo))
console.log(`\n${table('fill and empty', fillAndEmpty)}`)
console.log(`\n${table('half full', halfFull)}`)
