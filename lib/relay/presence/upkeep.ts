import { type Registry } from '../session/registry.ts'
import { type Session } from '../session/session.ts'

/** Something that the registry is to say. */
export interface Duty {
  /** Makes it so. What rejects is called again later, and everything is in a new session. */
  settle(registry: Registry): Promise<void>
}

/** Duties that are done at the same time. */
const ABREAST = 256

/**
 * Keeps the registry in line with what this node knows of its own clients: the node that holds the socket is the source of
 * truth, whatever a master has lost.
 */
export class Upkeep {
  readonly #duties = new Set<Duty>()
  readonly #due = new Set<Duty>()
  readonly #running = new Set<Duty>()
  readonly #failed = new Set<Duty>()
  #session: Session | undefined

  add(duty: Duty): void {
    this.#duties.add(duty)
    this.touch(duty)
  }

  /** It has changed. */
  touch(duty: Duty): void {
    if (!this.#duties.has(duty)) return
    this.#due.add(duty)
    this.#run()
  }

  /** It is no duty any more. */
  drop(duty: Duty): void {
    for (const set of [this.#duties, this.#due, this.#failed]) set.delete(duty)
  }

  begin(session: Session): void {
    this.#session = session
    this.redo()
  }

  /** The registry may have forgotten everything. */
  redo(): void {
    for (const duty of this.#duties) this.#due.add(duty)
    this.#run()
  }

  /** What was refused, once more. */
  retry(): void {
    for (const duty of this.#failed) this.#due.add(duty)
    this.#failed.clear()
    this.#run()
  }

  close(): void {
    this.#session = undefined
    this.#duties.clear()
    this.#due.clear()
  }

  #run(): void {
    const session = this.#session
    if (!session || session.signal.aborted) return
    for (const duty of this.#due) {
      if (this.#running.size >= ABREAST) return
      if (!this.#running.has(duty)) void this.#settle(duty, session)
    }
  }

  async #settle(duty: Duty, session: Session): Promise<void> {
    this.#due.delete(duty)
    this.#running.add(duty)
    const settled = await duty.settle(session.registry).then(
      () => true,
      () => false,
    )
    this.#running.delete(duty)
    if (!settled && this.#duties.has(duty)) this.#failed.add(duty)
    this.#run()
  }
}
