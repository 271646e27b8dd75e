import { WslbError } from '../../core/errors.ts'
import { type Refused } from '../session/failures.ts'

/** Answers that any write gets, so that any other shows whether it is over. */
const ANY_WRITE = new Set(['NOREPLICAS', 'OOM', 'MISCONF'])

/** What a session does; a write is one that `ANY_WRITE` is about. */
export type Act = 'write' | 'push' | 'read' | 'listen'

/** What a master refuses. Told when it begins, becomes another, and is over. */
export class Refusals {
  readonly #tell: (trouble: WslbError | undefined) => void
  #anyWrite: WslbError | undefined
  readonly #others = new Map<string, WslbError>()
  #told: WslbError | undefined

  constructor(tell: (trouble: WslbError | undefined) => void) {
    this.#tell = tell
  }

  /** @param name of the channel, or of something else that is tried again */
  refused(refused: Refused, act: Act, name: string): void {
    if (ANY_WRITE.has(refused.reason)) {
      this.#anyWrite ??= refused
    } else {
      const message = `${refused.message} (${act} ${JSON.stringify(name)})`
      const trouble = new WslbError('WSLB_RELAY_REFUSED', message, { cause: refused })
      this.#others.set(keyOf(act, name), trouble)
    }
    this.#update()
  }

  accepted(act: Act, name: string): void {
    if (!this.#told) return
    if (act === 'write') this.#anyWrite = undefined
    this.#others.delete(keyOf(act, name))
    this.#update()
  }

  /** Nobody listens to it or reads it any more. */
  left(channel: string): void {
    for (const act of ['listen', 'read'] as const) this.#others.delete(keyOf(act, channel))
    this.#update()
  }

  #update(): void {
    const [first] = this.#others.values()
    const current = this.#anyWrite ?? first
    if (current?.message === this.#told?.message) return
    this.#told = current
    this.#tell(current)
  }
}

function keyOf(act: Act, name: string): string {
  return `${act} ${name}`
}
