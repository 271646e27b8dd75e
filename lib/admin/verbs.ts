import { type Balancer } from '../balancer.ts'
import { type Plan } from '../core/events.ts'
import { type Attempt } from '../config/config-file.ts'
import { problemsOf } from '../config/problems.ts'
import { type Snapshot } from '../snapshot.ts'
import { type Call, textOf, type Verb, type Verbs } from './call.ts'
import { close } from './close.ts'
import { drain, restore } from './drain.ts'
import { rebalance } from './rebalance.ts'
import { Refused } from './refused.ts'

/** What is asked: a balancer that lives by a config file. */
export interface Running {
  readonly balancer: Balancer
  /** Absolute path. */
  readonly config: string
  reload(): Promise<Attempt<Plan>>
  /** @param signal gives it up @param file another config than its own, as an absolute path */
  plan(signal: AbortSignal, file: string | undefined): Promise<Attempt<Plan>>
}

/** The result of `status`: a snapshot, without its tunnels unless they are asked for. */
export interface Status extends Omit<Snapshot, 'tunnels'> {
  readonly config: string
  readonly pid: number
  /** Milliseconds since the process began. */
  readonly uptime: number
  readonly tunnels?: Snapshot['tunnels']
}

/** Everything that a running `wslb start` can be asked. */
export function verbsFor(running: Running): Verbs {
  const { balancer } = running
  return new Map<string, Verb>([
    ['status', ({ input }) => status(running, input.tunnels === true)],
    ['plan', async (call) => outcomeOf(await running.plan(call.signal, fileOf(call)))],
    ['reload', async () => outcomeOf(await running.reload())],
    ['drain', (call) => drain(balancer, call)],
    ['restore', (call) => restore(balancer, call)],
    ['rebalance', (call) => rebalance(balancer, call)],
    ['close', (call) => close(balancer, call)],
  ])
}

function status({ balancer, config }: Running, withTunnels: boolean): Status {
  const { tunnels, ...rest } = balancer.snapshot({ tunnels: withTunnels })
  const uptime = Math.round(process.uptime() * 1_000)
  return { config, pid: process.pid, uptime, ...rest, ...(withTunnels && { tunnels }) }
}

function fileOf(call: Call): string | undefined {
  return call.input.file === undefined ? undefined : textOf(call, 'file')
}

function outcomeOf(attempt: Attempt<Plan>): Plan {
  if ('done' in attempt) return attempt.done
  throw new Refused(problemsOf(attempt.error, attempt.files))
}
