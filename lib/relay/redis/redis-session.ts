import { type Clock } from '../../core/clock.ts'
import { type WslbError } from '../../core/errors.ts'
import { type Appended, type Batch, type Entry, type History } from '../session/entry.ts'
import { type Evaluator, type Reply, type Script } from '../session/evaluator.ts'
import { Refused, SessionOver } from '../session/failures.ts'
import { type Origin } from '../session/position.ts'
import { type Registry } from '../session/registry.ts'
import { type Session, type SessionEvents, type Slice } from '../session/session.ts'
import { type Connection, ReplyError } from './connection.ts'
import { type Pair } from './dial.ts'
import { Heartbeat } from './heartbeat.ts'
import { type Keys } from './keys.ts'
import { APPEND, READ } from './log-scripts.ts'
import { appendedOf, appendOf, readOf, sliceOf } from './log-replies.ts'
import { frameOf, readFrame } from './push-frame.ts'
import { RedisRegistry } from './redis-registry.ts'
import { type Act, Refusals } from './refusals.ts'
import { serverWords, troubleWith } from './redis-trouble.ts'
import { Turnstile } from './turnstile.ts'

/** Answers after which the server is not the master that the session is about. */
const OVER = new Set(['READONLY', 'FENCED', 'MASTERDOWN', 'LOADING'])
/**
 * Reads that are under way at a time. To Redis, a connection that listens is one of class `pubsub`, and is cut off when more
 * than 32 MiB wait to be sent to it, or 8 MiB for a minute: with slices of 256 KiB there are never more than 4 MiB.
 */
const READS = 16

export interface RedisSessionOptions {
  /** Number of the master's term; 0 without Sentinel. */
  readonly term: number
  /** Whether a log that has seen a later term refuses this one. */
  readonly fenced: boolean
  readonly address: string
  readonly keys: Keys
  readonly clock: Clock
  readonly events: SessionEvents
  readonly leaseLeft: () => number
}

/** Over two connections to one master, which end together. */
export class RedisSession implements Session, Evaluator {
  readonly epoch: string
  readonly address: string
  readonly signal: AbortSignal
  readonly registry: Registry
  readonly #options: RedisSessionOptions
  readonly #fence: string
  readonly #data: Connection
  readonly #control: Connection
  readonly #heartbeat: Heartbeat
  readonly #over = new AbortController()
  readonly #listening = new Set<string>()
  readonly #refusals: Refusals
  readonly #reads: Turnstile

  constructor({ data, control, runId }: Pair, options: RedisSessionOptions) {
    const { term, fenced, address, keys, clock, events } = options
    this.epoch = `${term}x${runId}`
    this.address = address
    this.signal = this.#over.signal
    this.registry = new RedisRegistry(this, keys.prefix)
    this.#options = options
    this.#fence = fenced ? '1' : '0'
    this.#data = data
    this.#control = control
    this.#reads = new Turnstile(READS, this.signal)
    this.#refusals = new Refusals((trouble) => !this.signal.aborted && events.trouble(trouble))
    const marker = { key: keys.heartbeat(crypto.randomUUID()), value: this.epoch }
    this.#heartbeat = new Heartbeat({
      clock,
      marker,
      ask: (args) => this.#ask(control, args),
      ping: () => this.#ask(data, ['PING']),
      well: () => this.#refusals.accepted('write', marker.key),
      unwell: (error) => {
        if (error instanceof Refused) this.#refusals.refused(error, 'write', marker.key)
      },
      hangs: (silence) => this.end(`${address} has not answered for ${silence} ms`),
    })
    for (const { signal } of [data, control]) {
      const lost = () => this.#lost(signal.reason)
      if (signal.aborted) lost()
      else signal.addEventListener('abort', lost, { once: true })
    }
  }

  leaseLeft(): number {
    return this.#options.leaseLeft()
  }

  append(channel: string, batch: Batch, history: History): Promise<Appended> {
    const { keys, args } = appendOf(this.#options.keys, this.epoch, this.#fence, channel, batch, history)
    return this.#note('write', channel, async () => appendedOf(await this.eval(APPEND, keys, args)))
  }

  push(channel: string, entry: Omit<Entry, 'offset'>): Promise<number> {
    const args = ['PUBLISH', this.#options.keys.pushes(channel), frameOf(this.epoch, entry)]
    return this.#note('push', channel, async () => Number(await this.#ask(this.#data, args)))
  }

  read(channel: string, origin: Origin, limit: number): Promise<Slice> {
    const { keys, args } = readOf(this.#options.keys, this.epoch, this.#fence, channel, origin, limit)
    const read = async () => sliceOf(await this.eval(READ, keys, args))
    return this.#note('read', channel, () => this.#reads.pass(read))
  }

  async listen(channel: string): Promise<void> {
    if (this.#listening.has(channel)) return
    this.#listening.add(channel)
    const tell = (entry: Parameters<SessionEvents['pushed']>[1]) => {
      if (this.#listening.has(channel) && !this.signal.aborted) this.#options.events.pushed(channel, entry)
    }
    const listener = (frame: Buffer) => {
      this.#heartbeat.heard()
      readFrame(frame, tell)
    }
    const subscribe = () => this.#data.subscribe(this.#options.keys.pushes(channel), listener)
    try {
      await this.#note('listen', channel, () => this.#attempt(subscribe))
    } catch (error) {
      this.#listening.delete(channel)
      throw error
    }
  }

  async unlisten(channel: string): Promise<void> {
    this.#refusals.left(channel)
    if (!this.#listening.delete(channel)) return
    await this.#attempt(() => this.#data.unsubscribe(this.#options.keys.pushes(channel)))
  }

  async confirm(wanted: number): Promise<number> {
    this.signal.throwIfAborted()
    return this.#heartbeat.confirm(wanted)
  }

  async eval(
    { text, sha }: Script,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<Reply> {
    const rest = [String(keys.length), ...keys, ...args]
    try {
      return await this.#ask(this.#data, ['EVALSHA', sha, ...rest])
    } catch (error) {
      // It has not run. From now on the server knows it.
      if (error instanceof Refused && error.reason === 'NOSCRIPT')
        return this.#ask(this.#data, ['EVAL', text, ...rest])
      throw error
    }
  }

  end(why: string, cause?: unknown): void {
    if (this.signal.aborted) return
    this.#over.abort(new SessionOver(why, cause))
    this.#heartbeat.stop(this.signal.reason)
    this.#data.destroy()
    this.#control.destroy()
  }

  async #note<T>(act: Act, channel: string, work: () => Promise<T>): Promise<T> {
    try {
      const answer = await work()
      this.#refusals.accepted(act, channel)
      return answer
    } catch (error) {
      // An answer that comes when nobody listens any more is no trouble.
      const wanted = act === 'write' || act === 'push' || this.#listening.has(channel)
      if (wanted && error instanceof Refused) this.#refusals.refused(error, act, channel)
      throw error
    }
  }

  async #ask(connection: Connection, args: readonly (string | Buffer)[]): Promise<Reply> {
    const answer = await this.#attempt(() => connection.command(args))
    if (connection === this.#data) this.#heartbeat.heard()
    return answer
  }

  async #attempt<T>(send: () => Promise<T>): Promise<T> {
    this.#checkTerm()
    try {
      const answer = await send()
      // What a master says after its term may be of a history that is discarded.
      this.#checkTerm()
      return answer
    } catch (error) {
      throw this.#judge(error)
    }
  }

  /** A lease that has run out is noticed before anything is sent, also by a process that has slept. */
  #checkTerm(): void {
    if (this.leaseLeft() <= 0) this.end(`the lease on ${this.address} has run out`)
    this.signal.throwIfAborted()
  }

  #judge(error: unknown): WslbError {
    if (!this.signal.aborted && error instanceof ReplyError) {
      const refused = new Refused(serverWords(error))
      if (!OVER.has(refused.reason)) return refused
      this.end(`${this.address}: ${refused.message}`, error)
    }
    this.#lost(error)
    return this.signal.reason as SessionOver
  }

  #lost(error: unknown): void {
    this.end(troubleWith(this.address, error).message, error)
  }
}
