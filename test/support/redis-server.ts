import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { type Scope } from './balancer.ts'
import { freePort } from './free-port.ts'

/** A real Redis on a port of its own, which forgets everything when it stops. */
export class RedisServer {
  readonly port: number
  readonly #directory: string
  #process: ChildProcess | undefined

  private constructor(port: number, directory: string) {
    this.port = port
    this.#directory = directory
  }

  static async start(t: Scope): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), mkdtempSync(join(tmpdir(), 'wslb-redis-')))
    t.teardown(async () => {
      await server.kill()
      rmSync(server.#directory, { recursive: true, force: true })
    })
    await server.start()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const options = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const child = spawn('redis-server', [...options, '--dir', this.#directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#process = child
    child.stdout.setEncoding('utf8')
    for (let said = ''; !said.includes('Ready to accept connections');) {
      said += String((await once(child.stdout, 'data'))[0])
    }
    child.stdout.resume()
  }

  /** At once; nothing is said to anybody. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** Connections stay open, and nothing is answered. */
  hang(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** One command, on a connection of its own. */
  async command(...args: string[]): Promise<unknown> {
    const client = createClient({ url: this.url })
    client.on('error', () => {})
    await client.connect()
    try {
      return await client.sendCommand(args)
    } finally {
      client.destroy()
    }
  }

  /** Those of others than this question. */
  async connections(): Promise<number> {
    return (
      String(await this.command('CLIENT', 'LIST'))
        .trim()
        .split('\n').length - 1
    )
  }
}
