import { askRunning } from '../admin/ask-running.ts'
import { type Status } from '../admin/verbs.ts'
import { type AdminState } from '../core/backend.ts'
import { describeDrain } from '../observe/describe-drain.ts'
import { thousands } from '../observe/thousands.ts'
import { configPath, shownPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { listenerUrl } from './listener-url.ts'
import { complain, say } from './report.ts'
import { table } from './table.ts'

export interface StatusFlags extends Flags {
  readonly tunnels: boolean
}

/** `wslb status`: what a running `wslb start` is doing. */
export async function status(flags: StatusFlags): Promise<number> {
  const { json, tunnels } = flags
  try {
    const status = (await askRunning(configPath(flags), 'status', { input: { tunnels } })) as Status
    say(json, describe(status), { event: 'status', ...status })
    return EXIT_OK
  } catch (error) {
    return complain(json, error)
  }
}

function describe(status: Status): string {
  const { config, pid, uptime, listeners, connections, pools, backends, drains, tunnels } = status
  const urls = listeners.map(({ protocol, address, port }) => listenerUrl(protocol, address, port))
  const where = urls.length > 0 ? `${urls.join(', ')}: ` : ''
  const stopping = drains.some(({ target }) => target === '*') ? ', stopping' : ''
  const blocks = [
    [
      `${shownPath(config)}: process ${pid}, up ${age(uptime)}${stopping}`,
      `${where}${thousands(connections)} connections`,
    ].join('\n'),
    table([
      ['pool', 'backend', 'health', 'state', 'tunnels', 'load', 'url'],
      ...backends.map(({ pool, id, health, adminState, tunnels, load, url }) => [
        ...[pool, id, health, stateOf(adminState, load), thousands(tunnels), thousands(load), url],
      ]),
    ]),
    pools.flatMap(describeSource).join('\n'),
    drains.map(describeDrain).join('\n'),
    tunnels ? describeTunnels(tunnels) : '',
  ]
  return blocks.filter((block) => block !== '').join('\n\n')
}

/** Whoever is to stop a backend needs to see that it is empty. */
function stateOf(adminState: AdminState, load: number): string {
  return adminState === 'draining' && load === 0 ? 'drained' : adminState
}

/** `chat from dns(chat.internal:3000): last list 12 s ago; since then: queryA ETIMEOUT`. */
function describeSource({ name, source }: Status['pools'][number]): string[] {
  if (!source) return []
  const { updatedAt, problem } = source
  const when =
    updatedAt === null ? 'no list yet' : `last list ${age(Math.max(0, Date.now() - updatedAt))} ago`
  return [`${name} from ${source.name}: ${when}${problem === null ? '' : `; since then: ${problem}`}`]
}

function describeTunnels(tunnels: NonNullable<Status['tunnels']>): string {
  return table([
    ['tunnel', 'pool', 'backend', 'route', 'client', 'open', 'idle'],
    ...tunnels.map(({ id, pool, backend, route, clientAddress, duration, idle }) => [
      ...[String(id), pool, backend, route, clientAddress, age(duration), age(idle)],
    ]),
  ])
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** Milliseconds in the two largest units that say something: `3 h 12 min`. */
function age(ms: number): string {
  let rest = Math.floor(ms / 1_000)
  const parts = UNITS.map(([unit, size]) => {
    const count = Math.floor(rest / size)
    rest %= size
    return { count, text: `${count} ${unit}` }
  })
  const first = parts.findIndex(({ count }) => count > 0)
  const said = parts.slice(first < 0 ? -1 : first).slice(0, 2)
  return said
    .filter(({ count }, index) => count > 0 || index === 0)
    .map(({ text }) => text)
    .join(' ')
}
