import { type Options } from 'yargs'
import { type CloseFlags } from './close.ts'
import { type DrainFlags } from './drain.ts'
import { type Flags } from './flags.ts'
import { type PlanFlags } from './plan.ts'
import { type RebalanceFlags } from './rebalance.ts'
import { type RestoreFlags } from './restore.ts'
import { type StatusFlags } from './status.ts'

/** One verb of the command line. Reports its own errors, or throws them. */
export interface Command {
  readonly name: string
  /** What stands after the name, as yargs writes it: `<target>`, `[file]`. */
  readonly operand?: string
  readonly describe: string
  /** What to say when the operand is missing. */
  readonly wanted?: string
  /** Of those that all commands take, what its help need not show. */
  readonly ignores?: readonly (keyof Flags)[]
  /** Besides those of all commands. */
  readonly flags?: Readonly<Record<string, Options>>
  /** @returns the exit code */
  readonly run: (flags: Flags) => Promise<number>
}

const DRAIN_FLAGS: Record<Exclude<keyof DrainFlags, keyof Flags | 'target'>, Options> = {
  over: { type: 'string', describe: 'Spread the closes over this time, e.g. 30s [drain.over]' },
  deadline: { type: 'string', describe: 'Then cut what is left, e.g. 60s [drain.deadline]' },
  code: { type: 'string', describe: 'Close code for the clients [drain.code]' },
  reason: { type: 'string', describe: 'Close reason for the clients [drain.reason]' },
  order: {
    type: 'string',
    describe: 'Who is closed first: idle-first · oldest-first · newest-first · random [drain.order]',
  },
  wait: { type: 'boolean', default: true, describe: 'Wait until drained; --no-wait does not' },
}

const RESTORE_FLAGS: Record<Exclude<keyof RestoreFlags, keyof Flags | 'target'>, Options> = {
  deadline: { type: 'string', default: '60s', describe: 'How long to wait at most' },
  wait: { type: 'boolean', default: true, describe: 'Wait until up; --no-wait does not' },
}

const CLOSE_FLAGS: Record<Exclude<keyof CloseFlags, keyof Flags | 'id'>, Options> = {
  code: { type: 'string', demandOption: true, describe: 'Close code for the client, e.g. 4003' },
  reason: { type: 'string', describe: 'Close reason for the client' },
}

const WHICH_TARGET = "which target? A backend, pool/backend, pool or '*'"

/** The process that is asked has its own. */
const OF_START = ['port', 'host', 'log-level', 'watch'] as const

/** Loaded when called: `wslb --help` needs neither esbuild nor undici. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'init',
    ignores: OF_START,
    describe: 'Write a commented lb.config.ts',
    run: async (flags) => (await import('./init.ts')).init(flags),
  },
  {
    name: 'start',
    describe: 'Serve, and reload when the config changes',
    run: async (flags) => (await import('./start.ts')).start(flags),
  },
  {
    name: 'check',
    ignores: ['log-level', 'watch'],
    describe: 'Load and validate the config, open nothing',
    run: async (flags) => (await import('./check.ts')).check(flags),
  },
  {
    name: 'plan',
    ignores: ['log-level', 'watch'],
    operand: '[file]',
    describe: 'Say what a reload would do now, with this or another config',
    run: async (flags) => (await import('./plan.ts')).plan(flags as PlanFlags),
  },
  {
    name: 'reload',
    ignores: OF_START,
    describe: 'Have the config read again',
    run: async (flags) => (await import('./reload.ts')).reload(flags),
  },
  {
    name: 'status',
    ignores: OF_START,
    describe: 'Show backends, tunnels, and drains under way',
    flags: { tunnels: { type: 'boolean', default: false, describe: 'List the open tunnels' } },
    run: async (flags) => (await import('./status.ts')).status(flags as StatusFlags),
  },
  {
    name: 'drain',
    ignores: OF_START,
    operand: '<target>',
    wanted: WHICH_TARGET,
    describe: "Take a backend, pool/backend, pool or '*' out of service",
    flags: DRAIN_FLAGS,
    run: async (flags) => (await import('./drain.ts')).drain(flags as DrainFlags),
  },
  {
    name: 'restore',
    ignores: OF_START,
    operand: '<target>',
    wanted: WHICH_TARGET,
    describe: 'Put it back into service, and wait until it is up',
    flags: RESTORE_FLAGS,
    run: async (flags) => (await import('./restore.ts')).restore(flags as RestoreFlags),
  },
  {
    name: 'rebalance',
    ignores: OF_START,
    operand: '[pool]',
    describe: 'Move tunnels from backends with more than their share',
    run: async (flags) => (await import('./rebalance.ts')).rebalance(flags as RebalanceFlags),
  },
  {
    name: 'close',
    ignores: OF_START,
    operand: '<id>',
    wanted: 'which tunnel? Its id, as wslb status --tunnels shows it',
    describe: 'Close one open tunnel',
    flags: CLOSE_FLAGS,
    run: async (flags) => (await import('./close.ts')).close(flags as CloseFlags),
  },
]
