import { type Clock, systemClock } from '../core/clock.ts'
import { certificateFiles } from './certificate-files.ts'
import { type Config } from './config.ts'
import { digestOf } from './digest.ts'
import { Generations } from './generations.ts'
import { type LoadedConfig } from './load.ts'
import { ConfigLoadError } from './load-error.ts'
import { explain } from './locate.ts'
import { type Inputs, InputWatcher } from './watch.ts'

export interface ConfigFileOptions {
  /** Puts a reloaded config into service; when it throws or rejects, the old one stays. */
  apply: (config: Config) => unknown
  /** The last good config serves on. `explanation` says file:line, what is wrong and how to mend it. */
  onReject: (error: unknown, explanation: string) => void
  /** Changes in this directory go unnoticed; `reload()` still works. */
  onWatchError: (error: Error, directory: string) => void
  clock?: Clock
}

/** A config file that is loaded again when it changes. Never two loads at once; a newer wish overtakes an older. */
export class ConfigFile {
  readonly #options: ConfigFileOptions
  readonly #generations: Generations
  readonly #watcher: InputWatcher
  #wanted = false
  #running: Promise<void> | undefined
  #closed = false

  constructor(path: string, options: ConfigFileOptions) {
    this.#options = options
    this.#generations = new Generations(path)
    this.#watcher = new InputWatcher({
      clock: options.clock ?? systemClock,
      onChange: () => void this.reload(),
      onError: options.onWatchError,
    })
  }

  /** The first load; `apply` is not called. @throws ConfigError, and then there is nothing to go back to */
  async load(): Promise<LoadedConfig> {
    return this.#generations.next((loaded) => this.#watcher.follow(inputsOf(loaded)))
  }

  /** From now on changes of the file, of what it imports and of its certificates reload it. */
  watch(): void {
    this.#watcher.start()
  }

  /** Loads now, changed or not. Never rejects: a failure goes to `onReject`. Settles when the last wish is dealt with. */
  async reload(): Promise<void> {
    if (this.#closed) return
    this.#wanted = true
    this.#generations.overtake()
    await (this.#running ??= this.#run())
  }

  /** Stops watching and aborts the signal of the config in service. */
  close(): void {
    this.#closed = true
    this.#wanted = false
    this.#watcher.close()
    this.#generations.close()
  }

  async #run(): Promise<void> {
    try {
      while (this.#wanted) {
        this.#wanted = false
        await this.#next()
      }
    } finally {
      this.#running = undefined
    }
  }

  async #next(): Promise<void> {
    const watcher = this.#watcher
    try {
      await this.#generations.next((loaded) => {
        watcher.follow(inputsOf(loaded))
        return this.#options.apply(loaded.config)
      })
    } catch (error) {
      // What was read before the failure, and what the last good config read: mending any of it is worth a try.
      if (error instanceof ConfigLoadError) watcher.follow(new Map([...watcher.inputs, ...error.inputs]))
      const overtaken = this.#wanted || this.#closed
      if (!overtaken) this.#options.onReject(error, explain(error, [...watcher.inputs.keys()]))
    }
  }
}

function inputsOf({ config, inputs }: LoadedConfig): Inputs {
  return new Map([...inputs, ...certificateFiles(config).map((file) => [file, digestOf(file)] as const)])
}
