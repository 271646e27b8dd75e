import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../test/support/free-port.ts'

const START_LIMIT = 10_000

/** A server in a process of its own. */
export class Child {
  readonly port: number
  readonly #process: ChildProcess
  readonly #isNode: boolean

  private constructor(port: number, process: ChildProcess, isNode: boolean) {
    this.port = port
    this.#process = process
    this.#isNode = isNode
  }

  /** @returns once it accepts connections on the port that `command` is given */
  static async start(command: (port: number) => readonly string[]): Promise<Child> {
    const port = await freePort()
    const [file, ...args] = command(port) as [string, ...string[]]
    const isNode = file === process.execPath
    const child = spawn(file, args, {
      stdio: ['ignore', 'ignore', 'inherit', ...(isNode ? ['ipc' as const] : [])],
    })
    child.on('error', (error) => console.error(error.message))
    const self = new Child(port, child, isNode)
    const deadline = Date.now() + START_LIMIT
    while (!(await accepts(port))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await self.stop()
        throw new Error(`${file} ${args.join(' ')} does not accept connections`)
      }
      await sleep(20)
    }
    return self
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** Has a Node process drop its garbage, so that memory means what is in use. */
  async collectGarbage(): Promise<void> {
    if (!this.#isNode) return
    const collected = once(this.#process, 'message')
    this.#process.send('collect')
    await collected
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null || !this.#process.pid) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 2_000)
    await exited
    clearTimeout(timer)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
