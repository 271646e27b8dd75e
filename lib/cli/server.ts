import { dirname } from 'node:path'
import { askRunning } from '../admin/ask-running.ts'
import { controlAddresses } from '../admin/control-address.ts'
import { ControlServer } from '../admin/control-server.ts'
import { type Status, verbsFor } from '../admin/verbs.ts'
import { type Balancer, createBalancer } from '../balancer.ts'
import { type Config } from '../config/config.ts'
import { ConfigFile } from '../config/config-file.ts'
import { resolveConfig } from '../config/resolve.ts'
import { type ResolvedConfig } from '../config/resolved.ts'
import { messageOf, WslbError } from '../core/errors.ts'
import { type Plan } from '../core/events.ts'
import { type Logger } from '../core/logger.ts'
import { logReject } from '../observe/log-reject.ts'
import { logStop, logStopped } from '../observe/log-stop.ts'
import { shownPlaces } from './config-path.ts'
import { type Flags } from './flags.ts'
import { listenerUrl } from './listener-url.ts'
import { Loggers } from './loggers.ts'
import { withFlags } from './overrides.ts'

/** A balancer that lives by its config file. */
export class Server {
  readonly #flags: Flags
  readonly #loggers: Loggers
  readonly #path: string
  readonly #baseDir: string
  readonly #file: ConfigFile<Plan>
  /** Errors that the balancer has logged itself. */
  readonly #told = new WeakSet<object>()
  #balancer: Balancer | undefined
  #control: ControlServer | undefined
  /** The last good one. */
  #config: ResolvedConfig | undefined
  #closing = false

  constructor(path: string, flags: Flags) {
    this.#flags = flags
    this.#loggers = new Loggers(flags)
    this.#path = path
    this.#baseDir = dirname(path)
    this.#file = new ConfigFile(path, {
      apply: (config) => this.#apply(config),
      onReject: (error, explanation) => this.#reject(error, explanation),
      onWatchError: (error, directory) =>
        this.#logger.warn(
          { event: 'watch:error', directory },
          `changes in ${directory} go unnoticed: ${error.message}`,
        ),
    })
  }

  /**
   * @returns the urls it serves, once it accepts
   * @throws WslbError whatever is wrong with the config, or `WSLB_LISTEN`
   */
  async open(): Promise<string[]> {
    const loaded = await this.#file.load()
    const config = this.#prepared(loaded.config)
    this.#config = resolveConfig(config, { baseDir: this.#baseDir })
    this.#balancer = createBalancer(config, { baseDir: this.#baseDir })
    this.#balancer.on('config:reject', ({ error }) => this.#told.add(error))
    const addresses = await this.#balancer.listen().catch(async (error: unknown) => {
      // Its sources have been asked already.
      await this.#balancer!.close()
      throw await withRival(error, this.#path)
    })
    if (this.#closing) {
      await this.#balancer.close()
    } else {
      if (this.#flags.watch) this.#file.watch()
      await this.#openControl(this.#balancer)
    }
    const { listen } = this.#config
    return addresses.map(({ protocol, address, port }, index) =>
      listenerUrl(protocol, listen[index]?.host ?? address, port),
    )
  }

  /** Reads the config again, changed or not. */
  reload(): void {
    // The first load is under way and reads it anyway.
    if (this.#balancer) void this.#file.reload()
  }

  /** Lets what is open end until the drain deadline of the config. {@link cut} does not wait for that. */
  async stop(): Promise<void> {
    if (!this.#balancer || !this.#config) return this.#close(0)
    logStop(this.#logger)
    await this.#close(this.#config.drain.deadline)
    logStopped(this.#logger)
  }

  async cut(): Promise<void> {
    await this.#close(0)
  }

  async #close(drain: number): Promise<void> {
    this.#closing = true
    this.#control?.release()
    // First the tunnels, then what the config has started: it may be a backend.
    await this.#balancer?.close({ drain })
    this.#control?.close()
    this.#file.close()
  }

  /** Nobody is less well served without it. */
  async #openControl(balancer: Balancer): Promise<void> {
    const config = this.#path
    const verbs = verbsFor({
      balancer,
      config,
      reload: () => this.#file.reload(),
      plan: (signal, file) =>
        this.#file.rehearse((next) => balancer.plan(this.#prepared(next)), signal, file),
    })
    this.#control = new ControlServer(verbs)
    try {
      await this.#control.open(controlAddresses(config)[0])
    } catch (error) {
      const reason = messageOf(error)
      this.#logger.warn(
        { event: 'control:error', reason },
        `no control channel, so no status, drain and the like from outside: ${reason}`,
      )
    }
  }

  async #apply(next: Config): Promise<Plan> {
    const config = this.#prepared(next)
    // Before the balancer does, which knows no file and no line to tell.
    const resolved = resolveConfig(config, { baseDir: this.#baseDir })
    const plan = await this.#balancer!.reload(config)
    this.#config = resolved
    return plan
  }

  #prepared(config: Config): Config {
    return this.#loggers.withLogger(withFlags(config, this.#flags))
  }

  #reject(error: unknown, explanation: string): void {
    if (typeof error === 'object' && error !== null && this.#told.has(error)) return
    logReject(this.#logger, error, shownPlaces(explanation))
  }

  get #logger(): Logger {
    const log = this.#config?.log
    return typeof log === 'object' ? log : this.#loggers.at()
  }
}

/** Milliseconds that the process which may be in the way has to tell who it is. */
const WHO_ARE_YOU = 2_000

/** Most often, what has the port is this very config, started before. */
async function withRival(error: unknown, config: string): Promise<unknown> {
  if (!(error instanceof WslbError) || error.code !== 'WSLB_LISTEN') return error
  try {
    const { pid } = (await askRunning(config, 'status', { patience: WHO_ARE_YOU })) as Status
    const who = `process ${pid} serves this config already`
    return new WslbError('WSLB_LISTEN', `${who}: ${error.message}`, { cause: error })
  } catch {
    return error
  }
}
