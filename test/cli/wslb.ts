import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT } from '../support/tree.ts'

export const BIN = fileURLToPath(new URL('dist/bin/wslb.js', ROOT))

// Who is killed leaves the socket of its control channel behind.
const runtime = mkdtempSync(join(tmpdir(), 'wslb-test-'))
process.env.XDG_RUNTIME_DIR = runtime
process.on('exit', () => rmSync(runtime, { recursive: true, force: true }))

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface Options {
  cwd: string
  env?: Record<string, string>
}

/** `dist/bin/wslb.js` as a user starts it, with an environment of its own. */
export class Wslb {
  stdout = ''
  stderr = ''
  readonly process: ChildProcess
  readonly #ended: Promise<Finished>
  #wake = new Set<() => void>()

  constructor(args: readonly string[], { cwd, env = {} }: Options) {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(WSLB_|TAP|NODE_OPTIONS|NODE_V8)/.test(name),
    )
    this.process = spawn(process.execPath, [BIN, ...args], {
      cwd,
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#look()
    })
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#look()
    })
    this.#ended = once(this.process, 'close').then(([code, signal]) => {
      this.#look()
      const { stdout, stderr } = this
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout, stderr }
    })
  }

  get ended(): Promise<Finished> {
    return this.#ended
  }

  /** The first match on stderr (from `offset` on); rejects when the process ends without it. */
  logged(pattern: RegExp, offset = 0): Promise<RegExpExecArray> {
    return this.#find(() => pattern.exec(this.stderr.slice(offset)), `stderr to match ${String(pattern)}`)
  }

  /** The first match on stdout; rejects when the process ends without it. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#find(() => pattern.exec(this.stdout), `stdout to match ${String(pattern)}`)
  }

  /** The url of the ready line. */
  async ready(): Promise<string> {
    const match = await this.#find(
      () => /^(?:wslb ready |.*"url":")(https?:[^"\n]+)"?.*\n/.exec(this.stdout),
      'a ready line',
    )
    return match[1]!
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  /** For teardowns: ends it, however it stands. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.kill('SIGKILL')
    await this.#ended
  }

  #find(look: () => RegExpExecArray | null, what: string): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const attempt = () => {
        const found = look()
        if (found) resolve(found)
        else if (this.process.exitCode !== null)
          reject(new Error(`ended while waiting for ${what}:\n${this.stdout}${this.stderr}`))
        else return
        this.#wake.delete(attempt)
      }
      this.#wake.add(attempt)
      attempt()
    })
  }

  #look(): void {
    for (const attempt of [...this.#wake]) attempt()
  }
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options: Options): Promise<Finished> {
  const wslb = new Wslb(args, options)
  return wslb.ended
}
