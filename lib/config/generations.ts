import { type Config } from './config.ts'
import { type LoadedConfig, loadConfigFile } from './load.ts'

interface Generation {
  readonly config: Config
  readonly controller: AbortController
}

/**
 * Every load of a config file is a generation with a `signal` of its own, which aborts when the generation is
 * rejected or replaced: what the config started ends with it. Only the config of the last good one is held.
 */
export class Generations {
  readonly #file: string
  #current: Generation | undefined
  #loading: AbortController | undefined
  #closed = false

  constructor(file: string) {
    this.#file = file
  }

  /**
   * Loads the file and has it put into service; only then the one before ends. Not to be called while it runs.
   * @returns what `apply` gives
   * @throws whatever loading or `apply` throws; the generation before stays
   */
  async next<T>(apply: (loaded: LoadedConfig) => T | Promise<T>): Promise<T> {
    const controller = new AbortController()
    const { signal } = controller
    try {
      this.#loading = controller
      const loaded = await loadConfigFile(this.#file, { signal, previous: this.#current?.config })
      this.#loading = undefined
      signal.throwIfAborted()
      const applied = await apply(loaded)
      this.#current?.controller.abort()
      this.#current = { config: loaded.config, controller }
      if (this.#closed) controller.abort()
      return applied
    } catch (error) {
      controller.abort(error)
      throw error
    }
  }

  /**
   * Loads a config that does not go into service: its generation is over when `use` is.
   * @param signal gives it up
   * @throws whatever loading or `use` throws
   */
  async rehearse<T>(
    use: (loaded: LoadedConfig) => Promise<T>,
    signal: AbortSignal,
    file = this.#file,
  ): Promise<T> {
    const controller = new AbortController()
    const giveUp = () => controller.abort(signal.reason)
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { signal: controller.signal })
    try {
      const context = { signal: controller.signal, previous: this.#current?.config }
      return await use(await loadConfigFile(file, context))
    } finally {
      controller.abort()
    }
  }

  /** Gives up a load that is under way; one that is being put into service goes on. */
  overtake(): void {
    this.#loading?.abort()
  }

  close(): void {
    this.#closed = true
    this.#loading?.abort()
    this.#current?.controller.abort()
  }
}
