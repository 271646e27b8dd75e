import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Test } from 'tap'
import { NODE_ARGS, ROOT, runnable } from '../support/tree.ts'

export interface RunningProcess {
  /** From its `ready` line. */
  readonly url: string
  /** Waits for a line of its output that matches, one that was printed before included. */
  readonly line: (pattern: RegExp) => Promise<string>
}

/** Runs an example as its reader would, on a port that the system chooses, until the test ends. */
export function runExample(t: Test, name: string, env: NodeJS.ProcessEnv = {}): Promise<RunningProcess> {
  return runUntilReady(t, [...NODE_ARGS, fileURLToPath(runnable(`examples/${name}.ts`))], ROOT, env)
}

/** Starts a node process, waits for its `ready` line; the test ends it with SIGTERM. */
export async function runUntilReady(
  t: Test,
  args: readonly string[],
  cwd: string | URL,
  env: NodeJS.ProcessEnv = {},
): Promise<RunningProcess> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const output = new EventEmitter()
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      lines.push(line)
      output.emit('line')
    })
  }
  const line = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = lines.find((line) => pattern.test(line))
      if (found !== undefined) return found
      const event = await Promise.race([once(output, 'line'), exited.then(() => undefined)])
      if (!event) throw new Error(`exited before it printed ${String(pattern)}:\n${lines.join('\n')}`)
    }
  }

  t.teardown(async () => {
    const impatience = setTimeout(() => {
      t.fail('ends within five seconds of SIGTERM')
      child.kill('SIGKILL')
    }, 5_000)
    child.kill('SIGTERM')
    await exited
    clearTimeout(impatience)
  })
  const [, url] = /(https?:\/\/\S+)/.exec(await line(/ready http/))!
  return { url: url!, line }
}
