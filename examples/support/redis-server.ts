import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, SocketClosedUnexpectedlyError } from 'redis'
import { freePorts } from './free-ports.ts'

export interface RedisServerOptions {
  /** @default a free one */
  readonly port?: number
  /** Where others find it, when that is a proxy in front of it. @default `port` */
  readonly exposedPort?: number
  /** Lines of its `redis.conf`, besides the port and the folder. @default nothing is kept on disk */
  readonly config?: readonly string[]
  /** It is a Sentinel. `redis-sentinel` is a name of the same program, and not everywhere there. @default false */
  readonly sentinel?: boolean
  /** How {@link RedisServer.command} signs in. */
  readonly auth?: { readonly username?: string; readonly password: string }
  /** Commands that it is given after every start. */
  readonly first?: readonly (readonly string[])[]
}

const running = new Set<ChildProcess>()
const directories = new Set<string>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** A real Redis, or Sentinel, on a port of its own. It ends with this process, or by {@link RedisServer.stop}. */
export class RedisServer {
  readonly port: number
  readonly exposedPort: number
  readonly #options: RedisServerOptions
  readonly #directory = mkdtempSync(join(tmpdir(), 'wslb-redis-'))
  #process: ChildProcess | undefined

  private constructor(port: number, options: RedisServerOptions) {
    this.port = port
    this.exposedPort = options.exposedPort ?? port
    this.#options = options
    directories.add(this.#directory)
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(options.port ?? (await freePorts(1))[0]!, options)
    try {
      server.#configure()
      await server.start()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /**
   * Starts it again after {@link RedisServer.kill}.
   * @param keeps what it still knows: its data (as of the last `SAVE`) and its configuration (which a failover
   *   rewrites); the configuration only; or nothing since it was made. @default 'config'
   */
  async start(keeps: 'all' | 'config' | 'nothing' = 'config'): Promise<void> {
    if (keeps !== 'all') this.#forget()
    if (keeps === 'nothing') this.#configure()
    const args = [this.#configFile, ...(this.#options.sentinel ? ['--sentinel'] : [])]
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    running.add(child)
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${said}`)))
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (said.length < 16_384) said += text
        if (/Ready to accept connections|Sentinel ID is/.test(said)) resolve()
      })
    }).finally(() => child.stdout.removeAllListeners('data').resume())
    child.once('exit', () => {
      running.delete(child)
      if (this.#process === child) this.#process = undefined
    })
    // Nobody waits for it: it ends with this process.
    child.unref()
    ;(child.stdout as Socket).unref()
    for (const command of this.#options.first ?? []) await this.command(...command)
  }

  /** At once, also when it hangs; nothing is said to anybody. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.ref()
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** Kills it for good. */
  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#directory, { recursive: true, force: true })
    directories.delete(this.#directory)
  }

  /** Connections stay open, and nothing is answered. */
  hang(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** One command, on a connection of its own. It is given again when a failover closes that one. */
  async command(...args: string[]): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask(args)
      } catch (error) {
        if (!(error instanceof SocketClosedUnexpectedlyError) || tries === 3) throw error
      }
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

  async #ask(args: string[]): Promise<unknown> {
    const client = createClient({
      ...this.#options.auth,
      socket: {
        port: this.port,
        host: '127.0.0.1',
        connectTimeout: 1_000,
        socketTimeout: 2_000,
        reconnectStrategy: false,
      },
    })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.sendCommand(args)
    } finally {
      client.destroy()
    }
  }

  get #configFile(): string {
    return join(this.#directory, 'redis.conf')
  }

  #configure(): void {
    const { config = [], sentinel = false } = this.#options
    const own = [`port ${this.port}`, 'bind 127.0.0.1', `dir ${this.#directory}`]
    const volatile = sentinel ? [] : ['save ""', 'appendonly no', 'repl-diskless-sync-delay 0']
    writeFileSync(this.#configFile, [...own, ...volatile, ...config, ''].join('\n'))
  }

  #forget(): void {
    for (const file of readdirSync(this.#directory)) {
      if (file.endsWith('.rdb')) rmSync(join(this.#directory, file))
    }
  }
}
