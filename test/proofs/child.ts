import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { type Scope } from '../support/balancer.ts'
import { NODE_ARGS, runnable } from '../support/tree.ts'

/** What a child does when it is asked to. */
export type Verbs = Record<string, (argument: never) => unknown>

interface Question {
  readonly id: number
  readonly verb: string
  readonly argument: unknown
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** Makes this process a {@link Child}. It ends with its parent. */
export function serve(verbs: Verbs): void {
  process.on('message', (question: Question) => void answer(verbs, question))
  process.on('disconnect', () => process.exit())
}

async function answer(verbs: Verbs, { id, verb, argument }: Question): Promise<void> {
  try {
    const result = await verbs[verb]!(argument as never)
    process.send!({ id, result } satisfies Answer)
  } catch (error) {
    process.send!({ id, error: String((error as Error).stack) } satisfies Answer)
  }
}

/** Another process, with descriptors, memory and an end of its own. Files, and turns of their event loop, are not shared. */
export class Child<V extends Verbs> {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #lastId = 0

  /** @param program a file of this folder that calls {@link serve}; it ends with the test */
  constructor(t: Scope, program: string, nodeArgs: readonly string[] = []) {
    this.#process = fork(fileURLToPath(runnable(join('test/proofs', program))), {
      execArgv: [...NODE_ARGS, ...nodeArgs],
      serialization: 'advanced',
    })
    this.#process.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer))
    this.#process.on('exit', () => {
      for (const [id, settle] of this.#waiting) settle({ id, error: `${program} has ended` })
    })
    t.teardown(() => this.kill())
  }

  get pid(): number {
    return this.#process.pid!
  }

  async ask<K extends keyof V & string>(
    verb: K,
    ...[argument]: Parameters<V[K]>
  ): Promise<Awaited<ReturnType<V[K]>>> {
    const id = ++this.#lastId
    const { result, error } = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#process.send({ id, verb, argument } satisfies Question)
    })
    this.#waiting.delete(id)
    if (error !== undefined) throw new Error(error)
    return result as Awaited<ReturnType<V[K]>>
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exited
  }
}
