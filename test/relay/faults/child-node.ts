import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Position } from '../../../lib/relay/index.ts'
import { type Scope } from '../../support/balancer.ts'
import { NODE_ARGS, runnable } from '../../support/tree.ts'
import { type Part } from './child-program.ts'
import { type NodeOptions } from './node.ts'
import { type Recorded, type Recorder } from './record.ts'

/** A node in a process of its own. A subscriber resumes where it stood; a publisher begins a new life under a new name. */
export class ChildNode {
  readonly #options: NodeOptions
  readonly #recorder: Recorder
  readonly #folder: string
  #process: ChildProcess | undefined
  #collected = 0
  #lives = 0
  #isPublishing = false
  #position: Position | undefined
  isListening = false

  constructor(t: Scope, options: NodeOptions, recorder: Recorder) {
    this.#folder = mkdtempSync(join(tmpdir(), 'wslb-child-'))
    this.#options = options
    this.#recorder = recorder
    t.teardown(async () => {
      await this.close()
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  get name(): string {
    return this.#options.name
  }

  /** Goes on where it stood. */
  listen(): void {
    this.isListening = true
    this.#start({ node: { ...this.#options, savesPosition: true }, from: this.#position ?? 'now' })
  }

  publish(rate: number): void {
    this.#isPublishing = true
    this.#start({ node: { ...this.#options, name: `${this.name}${this.#lives + 1}` }, rate })
  }

  /** As `kill -9`, in the middle of what it does. */
  async kill(): Promise<void> {
    await this.close()
    this.collect()
    if (this.#isPublishing) this.#recorder.add({ kind: 'died', publisher: `${this.name}${this.#lives}` })
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal)
  }

  /** Takes over what it has written since the last time. */
  collect(): readonly Recorded[] {
    const all = readFileSync(this.#file, { encoding: 'utf8', flag: 'a+' })
    const fresh = this.#recorder.merge(all.slice(this.#collected))
    this.#collected = all.lastIndexOf('\n') + 1
    for (const event of fresh) if (event.kind === 'deliver') this.#position = event.position
    return fresh
  }

  async close(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** One for each life: its last line may be torn. */
  get #file(): string {
    return join(this.#folder, `events-${this.#lives}`)
  }

  #start(part: Omit<Part, 'file'>): void {
    this.#lives++
    this.#collected = 0
    const program = fileURLToPath(runnable('test/relay/faults/child-program.ts'))
    this.#process = fork(program, [JSON.stringify({ ...part, file: this.#file })], { execArgv: NODE_ARGS })
  }
}
