import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

const EXTENSION = extname(import.meta.url)

/** A server of the application in a process of its own; see `serve-node.ts` for its side. */
export class NodeProcess {
  readonly name: string
  /** Where it listens; the same after a restart. */
  readonly url: string
  readonly pid: number
  /** Settles with the reason of its end. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess

  private constructor(name: string, url: string, child: ChildProcess, ended: Promise<string>) {
    this.name = name
    this.url = url
    this.pid = child.pid!
    this.ended = ended
    this.#child = child
  }

  /**
   * Settles when it listens.
   * @param program a TypeScript file that calls `serveNode()`
   * @param env besides that of this process
   */
  static async start(name: string, program: URL, env: NodeJS.ProcessEnv = {}): Promise<NodeProcess> {
    // The tests run compiled examples too.
    const path = fileURLToPath(program).replace(/\.ts$/, EXTENSION)
    const child = fork(path, {
      // Ctrl-C reaches every process of a terminal at once: this one is to end the others, in order.
      detached: true,
      env: { ...process.env, PORT: '0', NODE_NAME: name, ...env },
    })
    const ended = once(child, 'exit').then(([code, signal]) => String(signal ?? `code ${String(code)}`))
    const said = once(child, 'message') as Promise<[{ url: string }]>
    const first = await Promise.race([said, ended])
    if (typeof first === 'string') throw new Error(`${name} ended before it listened: ${first}`)
    return new NodeProcess(name, first[0].url, child, ended)
  }

  /** What it says by `tell()`. */
  onTold(listener: (told: unknown) => void): void {
    this.#child.on('message', listener)
  }

  ask(question: unknown): void {
    this.#child.send(question as object, () => {}) // it may have gone meanwhile
  }

  /** As `kill -9`. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Politely, and by force when that takes more than five seconds. */
  async stop(): Promise<void> {
    const impatience = setTimeout(() => this.kill(), 5_000)
    this.#child.kill('SIGTERM')
    await this.ended
    clearTimeout(impatience)
  }
}
