import { type Clock } from '../../core/clock.ts'
import { WslbError } from '../../core/errors.ts'
import { inTime } from '../../core/in-time.ts'
import { type Reply } from '../session/evaluator.ts'
import { type Address, type Connection } from './connection.ts'
import { APPEND, READ } from './log-scripts.ts'
import { type Access, enter, placeOf } from './redis-access.ts'

/** Milliseconds for TCP, TLS and the greeting: a process that is stopped still completes TCP connects. */
const GREETING = 2_000
/** Milliseconds for a question. */
const ANSWER = 1_000
/** What RESP 3, the scripts and their effects in replication need together. */
const OLDEST = [6, 2] as const

/** Two connections to one master. */
export interface Pair {
  /** For what is published, read and pushed. */
  readonly data: Connection
  /** For WAIT, which makes what comes behind it wait. */
  readonly control: Connection
  /** The 12 first characters of the server's run id: another one after each start. */
  readonly runId: string
  /** Whether it takes writes only while it has replicas (`min-replicas-to-write`). */
  readonly guarded: boolean
}

export interface DialContext {
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** @throws when the server is no master, is too old, or does not answer in time; then nothing is left open */
export async function dial(access: Access, address: Address, context: DialContext): Promise<Pair> {
  const attempts = [probe(access, address, context), probe(access, address, context)] as const
  const [data, control] = await Promise.allSettled(attempts)
  try {
    if (data.status === 'rejected') throw data.reason
    if (control.status === 'rejected') throw control.reason
    if (data.value.runId !== control.value.runId)
      throw new WslbError('WSLB_RELAY_AWAY', `${placeOf(address)} leads to two servers`)
    const { runId, guarded } = data.value
    return { data: data.value.connection, control: control.value.connection, runId, guarded }
  } catch (error) {
    for (const result of [data, control]) if (result.status === 'fulfilled') result.value.connection.destroy()
    throw error
  }
}

async function probe(access: Access, address: Address, context: DialContext) {
  const connection = await inTime(GREETING, context, (signal) => enter(access, address, signal))
  try {
    const [server, replication] = await inTime(ANSWER, context, () => {
      const questions = ['server', 'replication'].map((section) => connection.command(['INFO', section]))
      const scripts = [APPEND, READ].map(({ text }) => connection.command(['SCRIPT', 'LOAD', text]))
      return Promise.all([...questions, ...scripts])
    })
    checkVersion(address, infoOf(server, 'redis_version'))
    const role = infoOf(replication, 'role')
    if (role !== 'master') throw new WslbError('WSLB_RELAY_AWAY', `${placeOf(address)} is no master: ${role}`)
    const guarded = infoOf(replication, 'min_slaves_good_slaves') !== ''
    return { connection, runId: infoOf(server, 'run_id').slice(0, 12), guarded }
  } catch (error) {
    connection.destroy()
    throw error
  }
}

function infoOf(info: Reply | undefined, field: string): string {
  return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(String(info))?.[1] ?? ''
}

function checkVersion(address: Address, version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
  const message = `${placeOf(address)} is Redis ${version}: ${OLDEST.join('.')} or newer is needed`
  throw new WslbError('WSLB_RELAY_AWAY', message)
}
