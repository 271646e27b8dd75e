import { randomUUID } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../support/until.ts'

/** Finds what a program has left behind: processes of its own, which inherit an environment, and temporary files. */
export class Leftovers {
  readonly #mark = `WSLB_EXAMPLE=${randomUUID()}`
  readonly #directory = realpathSync(mkdtempSync(join(tmpdir(), 'wslb-example-of-test-')))
  /** tsx keeps what it has compiled there: it is not compiled again for each of many processes. */
  readonly #cache = `tsx-${process.getuid?.() ?? ''}`

  constructor() {
    const cache = join(tmpdir(), this.#cache)
    mkdirSync(cache, { recursive: true })
    symlinkSync(cache, join(this.#directory, this.#cache))
  }

  /** For the program. */
  get env(): NodeJS.ProcessEnv {
    const [name, value] = this.#mark.split('=')
    return { [name!]: value, TMPDIR: this.#directory }
  }

  /**
   * Processes that were told to end, or killed, are given a moment.
   * @throws when something is left
   */
  async check(): Promise<void> {
    await until(() => this.#processes().length === 0, 'the end of its processes').catch(() => {})
    const left = [...this.#processes(), ...this.files()]
    rmSync(this.#directory, { recursive: true, force: true })
    if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`)
  }

  /** Where the system has /proc: the command lines of those that run on. */
  #processes(): string[] {
    if (!existsSync('/proc/self/environ')) return []
    return readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && read(`/proc/${pid}/environ`).includes(this.#mark))
      .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
  }

  /** Temporary files and folders that are there now. */
  files(): string[] {
    if (!existsSync(this.#directory)) return []
    return readdirSync(this.#directory).filter((name) => name !== this.#cache)
  }
}

/** A process may end while one looks, or be somebody else's. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
