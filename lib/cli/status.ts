import { askRunning } from '../admin/ask-running.ts'
import { type Status } from '../admin/verbs.ts'
import { type AdminState, fullName } from '../core/backend.ts'
import { describeDrain } from '../observe/describe-drain.ts'
import { describeTime } from '../observe/describe-time.ts'
import { thousands } from '../observe/thousands.ts'
import { configPath, shownPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { listenerUrl } from './listener-url.ts'
import { complain, say } from './report.ts'
import { printable, table } from './table.ts'

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
      `${shownPath(config)}: process ${pid}, up ${describeTime(uptime)}${stopping}`,
      `${where}${thousands(connections)} connections`,
    ].join('\n'),
    table([
      ['pool', 'backend', 'health', 'state', 'tunnels', 'load', 'url'],
      ...backends.map(({ pool, id, health, adminState, tunnels, load, url }) => [
        ...[pool, id, health, stateOf(adminState, load), thousands(tunnels), thousands(load), url],
      ]),
    ]),
    pools.flatMap(describeSource).join('\n'),
    backends.map(describeTrouble).filter(Boolean).join('\n'),
    [...backends.flatMap(describeEjection), ...pools.flatMap(describePanic)].join('\n'),
    drains.map(describeDrain).join('\n'),
    tunnels ? describeTunnels(tunnels) : '',
  ]
  return blocks.filter((block) => block !== '').join('\n\n')
}

/** Why a backend is not up, and since when. */
function describeTrouble({ id, pool, health, since, trouble }: Status['backends'][number]): string {
  const age = Math.max(0, Date.now() - since)
  return health === 'up'
    ? ''
    : `${fullName({ id, pool })} ${health} for ${describeTime(age)}: ${printable(trouble ?? '')}`
}

/** Its probe may be well all the same. */
function describeEjection({ id, pool, ejectedUntil }: Status['backends'][number]): string[] {
  if (ejectedUntil === null) return []
  const left = Math.max(0, ejectedUntil - Date.now())
  return [`${fullName({ id, pool })} ejected for another ${describeTime(left)}`]
}

function describePanic({ name, panic }: Status['pools'][number]): string[] {
  return panic ? [`${name} in panic: health is ignored`] : []
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
    updatedAt === null ? 'no list yet' : `last list ${describeTime(Math.max(0, Date.now() - updatedAt))} ago`
  return [`${name} from ${source.name}: ${when}${problem === null ? '' : `; since then: ${problem}`}`]
}

function describeTunnels(tunnels: NonNullable<Status['tunnels']>): string {
  return table([
    ['tunnel', 'pool', 'backend', 'route', 'client', 'open', 'idle'],
    ...tunnels.map(({ id, pool, backend, route, clientAddress, duration, idle }) => [
      ...[String(id), pool, backend, route, clientAddress, describeTime(duration), describeTime(idle)],
    ]),
  ])
}
