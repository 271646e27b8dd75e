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
   * @throws whatever loading or `apply` throws; the generation before stays
   */
  async next(apply: (loaded: LoadedConfig) => unknown): Promise<LoadedConfig> {
    const controller = new AbortController()
    const { signal } = controller
    try {
      this.#loading = controller
      const loaded = await loadConfigFile(this.#file, { signal, previous: this.#current?.config })
      this.#loading = undefined
      signal.throwIfAborted()
      await apply(loaded)
      this.#current?.controller.abort()
      this.#current = { config: loaded.config, controller }
      if (this.#closed) controller.abort()
      return loaded
    } catch (error) {
      controller.abort(error)
      throw error
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
