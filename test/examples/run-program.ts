import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Test } from 'tap'
import { NODE_ARGS, ROOT, runnable } from '../support/tree.ts'
import { Leftovers } from './leftovers.ts'

/** Milliseconds to do something on a busy machine. */
const PATIENCE = 40_000
const ENDING = 5_000

/** An example of several processes, as its reader runs it. When it has ended nothing of it may be left. */
export class RunningProgram {
  readonly lines: string[] = []
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
  readonly #child: ChildProcess
  readonly #printed = new EventEmitter()
  readonly #leftovers = new Leftovers()

  /** @param name a folder of examples/ with a start.ts; it is stopped when the test ends, at the latest */
  constructor(
    t: Test,
    name: string,
    { args = [], env = {} }: { args?: string[]; env?: NodeJS.ProcessEnv } = {},
  ) {
    const program = fileURLToPath(runnable(`examples/${name}/start.ts`))
    const child = spawn(process.execPath, [...NODE_ARGS, program, ...args], {
      cwd: ROOT,
      env: { ...process.env, PORT: '0', ...this.#leftovers.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    this.ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
    void this.ended.then(() => this.#printed.emit('line'))
    child.stdin.on('error', () => {})
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        this.lines.push(line)
        this.#printed.emit('line')
      })
    }
    t.teardown(() => this.stop())
  }

  /** Waits for a line that matches, one that was printed before included. @returns its groups */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const impatience = setTimeout(() => this.#printed.emit('error', new Error('waited in vain')), PATIENCE)
    try {
      for (;;) {
        const found = this.lines.map((line) => pattern.exec(line)).find((match) => match !== null)
        if (found) return found
        if (this.#child.exitCode !== null) throw new Error('it has ended')
        await once(this.#printed, 'line')
      }
    } catch (error) {
      throw new Error(`${String(pattern)}: ${(error as Error).message}\n${this.lines.join('\n')}`)
    } finally {
      clearTimeout(impatience)
    }
  }

  /** From its `ready` line. */
  async url(): Promise<string> {
    return (await this.line(/^ready (http\S+)/))[1]!
  }

  /** Its temporary files and folders, as long as it runs. */
  get files(): readonly string[] {
    return this.#leftovers.files()
  }

  type(text: string): void {
    this.#child.stdin!.write(text)
  }

  /**
   * @returns how it ended: within five seconds, or by force
   * @throws when something of it is left
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal)
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), ENDING)
    const how = await this.ended
    clearTimeout(impatience)
    await this.#leftovers.check()
    return how
  }
}
