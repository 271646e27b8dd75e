import { createRequire } from 'node:module'
import yargs, { type Arguments } from 'yargs'
import { closestTo } from '../core/closest.ts'
import { COMMANDS } from './commands.ts'
import { EXIT_OK } from './exit-code.ts'
import { FLAGS, type Flags, flagsFromEnvironment } from './flags.ts'
import { complain } from './report.ts'
import { UsageError } from './usage-error.ts'

/** The command line, arguments only (no `node`, no script). @returns the exit code; never exits the process */
export async function main(argv: readonly string[]): Promise<number> {
  // `wslb start | head`: who reads us may leave.
  process.stdout.on('error', ignoreBrokenPipe)
  process.stderr.on('error', ignoreBrokenPipe)
  let exitCode = EXIT_OK
  try {
    const parser = yargs([...argv])
      .scriptName('wslb')
      .usage('wslb <command>\n\nA programmable WebSocket load balancer.')
      // Names in messages are matched below, and boolean `--no-…` is wanted; camelCase twins of flags are not.
      .locale('en')
      .parserConfiguration({ 'camel-case-expansion': false, 'duplicate-arguments-array': false })
      .options(FLAGS)
      .config(flagsFromEnvironment(process.env))
      .version(version())
      .alias('help', 'h')
      .demandCommand(
        1,
        1,
        `which command? One of ${COMMANDS.map(({ name }) => name).join(', ')} (npx wslb --help)`,
      )
      .strictCommands()
      .strictOptions()
      .exitProcess(false)
      .fail((message: string | null, error: Error | undefined) => {
        // yargs' own errors, those of a `coerce` among them, are about usage; others come out of a command.
        if (error && error.name !== 'YError') throw error
        throw new UsageError(withSuggestion(message ?? error?.message ?? '', argv))
      })
    for (const { name, operand, describe, ignores = [], flags = {}, run } of COMMANDS) {
      const usage = operand === undefined ? name : `${name} ${operand}`
      parser.command(
        usage,
        describe,
        (command) => {
          if (operand !== undefined) command.positional(operand.slice(1, -1), { type: 'string' })
          for (const flag of ignores) command.hide(flag)
          // What is left over would be called an unknown command.
          return command.options(flags).strictCommands(false)
        },
        async (given) => {
          refuseSurplus(name, operand, given)
          exitCode = await run(given as unknown as Flags)
        },
      )
    }
    await parser.parseAsync()
    return exitCode
  } catch (error) {
    return complain(argv.includes('--json') || process.env.WSLB_JSON === '1', error, undefined)
  }
}

/** @throws UsageError */
function refuseSurplus(name: string, operand: string | undefined, given: Arguments): void {
  const surplus = given._.slice(1)
  if (surplus.length === 0) return
  const what = operand?.slice(1, -1)
  const takes = what === undefined ? 'nothing; a config is named with -c' : `one ${what}`
  const got = what === undefined ? surplus : [given[what], ...surplus]
  throw new UsageError(`${name} takes ${takes}; got ${got.join(', ')} (npx wslb --help)`)
}

function withSuggestion(message: string, argv: readonly string[]): string {
  if (/^Not enough non-option arguments/.test(message)) {
    const { wanted = message } = COMMANDS.find(({ name }) => argv.includes(name)) ?? {}
    return `${wanted} (npx wslb --help)`
  }
  const [, kind, name] = /^Unknown (command|argument)s?: ([^,]+)/.exec(message) ?? []
  if (kind === undefined) return message
  const [what, given, names] =
    kind === 'command'
      ? ['command', name, COMMANDS.map((command) => command.name)]
      : ['flag', `--${name}`, flagNames().map((flag) => `--${flag}`)]
  return `unknown ${what} ${given}${closestTo(given, names)} (npx wslb --help)`
}

function flagNames(): string[] {
  const own = COMMANDS.flatMap(({ flags = {} }) => Object.keys(flags))
  return [...Object.keys(FLAGS), ...own, 'help', 'version']
}

function version(): string {
  const manifest = createRequire(import.meta.url)('wslb/package.json') as { version: string }
  return manifest.version
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
