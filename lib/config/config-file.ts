import { type Clock, systemClock } from '../core/clock.ts'
import { balancerClosed } from '../core/errors.ts'
import { certificateFiles } from './certificate-files.ts'
import { type Config } from './config.ts'
import { digestOf } from '../files/digest.ts'
import { Generations } from './generations.ts'
import { type LoadedConfig } from './load.ts'
import { ConfigLoadError } from './load-error.ts'
import { explain } from './locate.ts'
import { type Inputs, InputWatcher } from '../files/watch.ts'

export interface ConfigFileOptions<T> {
  /** Puts a reloaded config into service; when it throws or rejects, the old one stays. */
  apply: (config: Config) => T | Promise<T>
  /** The last good config serves on. `explanation` says file:line, what is wrong and how to mend it. */
  onReject: (error: unknown, explanation: string) => void
  /** Changes in this directory go unnoticed; `reload()` still works. */
  onWatchError: (error: Error, directory: string) => void
  clock?: Clock
}

/** What came of a config; or why nothing did, and the files to look for the reason in. */
export type Attempt<T> = { readonly done: T } | { readonly error: unknown; readonly files: readonly string[] }

/** A config file that is loaded again when it changes. Never two reloads at once; a newer wish overtakes an older. */
export class ConfigFile<T = unknown> {
  readonly #options: ConfigFileOptions<T>
  readonly #generations: Generations
  readonly #watcher: InputWatcher
  #wanted = false
  #running: Promise<Attempt<T>> | undefined
  #closed = false

  constructor(path: string, options: ConfigFileOptions<T>) {
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
    return this.#generations.next((loaded) => {
      this.#watcher.follow(inputsOf(loaded))
      return loaded
    })
  }

  /** From now on changes of the file, of what it imports and of its certificates reload it. */
  watch(): void {
    this.#watcher.start()
  }

  /**
   * Loads now, changed or not. Never rejects: a failure goes to `onReject` too. Settles when the last wish is dealt with.
   * @returns what came of that one
   */
  async reload(): Promise<Attempt<T>> {
    if (this.#closed) return { error: balancerClosed(), files: [] }
    this.#wanted = true
    this.#generations.overtake()
    return (this.#running ??= this.#run())
  }

  /**
   * Loads a config as a reload would and hands it to `check`; then it is over. The one in service does not notice.
   * Never rejects.
   * @param signal gives it up
   * @param file another one than this
   */
  async rehearse<R>(
    check: (config: Config) => Promise<R>,
    signal: AbortSignal,
    file?: string,
  ): Promise<Attempt<R>> {
    let files: readonly string[] = []
    try {
      const use = ({ config, inputs }: LoadedConfig) => {
        files = [...inputs.keys()]
        return check(config)
      }
      return { done: await this.#generations.rehearse(use, signal, file) }
    } catch (error) {
      return { error, files }
    }
  }

  /** Stops watching and aborts the signal of the config in service. */
  close(): void {
    this.#closed = true
    this.#wanted = false
    this.#watcher.close()
    this.#generations.close()
  }

  async #run(): Promise<Attempt<T>> {
    try {
      let last: Attempt<T>
      do {
        this.#wanted = false
        last = await this.#next()
      } while (this.#wanted)
      return last
    } finally {
      this.#running = undefined
    }
  }

  async #next(): Promise<Attempt<T>> {
    const watcher = this.#watcher
    try {
      return {
        done: await this.#generations.next((loaded) => {
          watcher.follow(inputsOf(loaded))
          return this.#options.apply(loaded.config)
        }),
      }
    } catch (error) {
      // What was read before the failure, and what the last good config read: mending any of it is worth a try.
      if (error instanceof ConfigLoadError) watcher.follow(new Map([...watcher.inputs, ...error.inputs]))
      const overtaken = this.#wanted || this.#closed
      const files = [...watcher.inputs.keys()]
      if (!overtaken) this.#options.onReject(error, explain(error, files))
      return { error, files }
    }
  }
}

function inputsOf({ config, inputs }: LoadedConfig): Inputs {
  return new Map([...inputs, ...certificateFiles(config).map((file) => [file, digestOf(file)] as const)])
}
