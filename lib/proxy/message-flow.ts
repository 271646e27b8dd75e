import { type Duplex } from 'node:stream'
import { type Clock } from '../core/clock.ts'
import { WslbError, toWslbError } from '../core/errors.ts'
import { AwaitedPongs } from '../protocol/awaited-pongs.ts'
import { OPCODE } from '../protocol/frame-tracker.ts'
import { controlFrame, dataFrame } from '../protocol/frame-writer.ts'
import { MessageReader, type Received } from '../protocol/message-reader.ts'
import { type Flow, type FlowCounts } from './flow.ts'
import { type MessageRule, type MessageSender } from './message-hook.ts'
import { type MessageMode } from './message-mode.ts'
import { type MessageStop, closedByError } from './message-stop.ts'
import { MessageOrder } from './message-order.ts'
import { type Order, verdictOf } from './message-verdict.ts'

export interface MessageFlowOptions {
  readonly sender: MessageSender
  readonly from: Duplex
  readonly to: Duplex
  readonly clock: Clock
  readonly mode: MessageMode
  /** The flow to the sender: where replies go. */
  readonly back: () => Flow
  /** Something has gone on later than it came. */
  readonly onProgress: () => void
  /** A message, or its hook, ends the tunnel. Then {@link MessageFlow.endWith} is expected. */
  readonly onStop: (stop: MessageStop) => void
}

/**
 * Passes on what one side says message by message, each when a hook has seen it, in the order of arrival:
 *
 *     socket ─▶ MessageReader ─▶ hook ─▶ queue: settled │ running │ settled ─▶ socket
 *
 * While the queue is full, or the receiver does not take more, nothing is read: the sender waits.
 */
export class MessageFlow implements Flow {
  readonly #options: MessageFlowOptions
  readonly #reader: MessageReader
  /** Towards a backend frames are masked (RFC 6455 §5.3). */
  readonly #masked: boolean
  readonly #order: MessageOrder
  /** Of the last rule there was: a reload may have taken it away. */
  #maxSize = 0
  #concurrency = 1
  /** Replies that the sender's connection has not taken yet. */
  #replies = 0
  #pumping = false
  /** Nothing more is taken from the sender. */
  #deaf = false
  /** A Close is on its way to the receiver, of whomever. */
  #closeComes = false
  /** The Close frame of ours in place of the sender's. */
  #last: Buffer | undefined
  #finishing: { readonly close: Buffer | undefined; done: boolean } | undefined
  readonly #pongs = new AwaitedPongs()
  activeAt: number
  closing = false
  closeCode: number | undefined
  over = false

  constructor(options: MessageFlowOptions) {
    const { sender, clock, mode } = options
    this.#options = options
    this.#reader = new MessageReader(sender)
    this.#masked = sender === 'client'
    this.#order = new MessageOrder({ clock, timeout: mode.timeout, onLate: () => this.#late() })
    this.activeAt = clock.now()
    this.#heedRule()
    mode.context.signal.addEventListener('abort', () => this.#drop(), { once: true })
  }

  get counts(): FlowCounts {
    return this.#reader
  }

  get pending(): boolean {
    return this.#order.length > 0 && this.#options.to.writable
  }

  pass(chunk: Buffer): void {
    this.#reader.push(chunk)
    this.#pump()
    if (this.#reader.inMessage) this.activeAt = this.#options.clock.now()
  }

  resume(): void {
    this.#pump()
  }

  inject(frame: Buffer): boolean {
    if (this.#closeComes) return false
    this.#write(frame)
    return true
  }

  send(message: Buffer, onSent: () => void): boolean {
    const { to } = this.#options
    if (this.#closeComes || !to.writable) return false
    to.write(message, onSent)
    return true
  }

  awaitPong(payload: Buffer, onPong: () => void): void {
    this.#pongs.await(payload, onPong)
  }

  endWith(close: Buffer): void {
    if (this.#closeComes) return
    this.#closeComes = true
    this.#stopReading()
    this.#order.add(() => this.#writeLast(close))
  }

  endAtClose(close: Buffer): void {
    if (!this.closing) this.#last = close
  }

  finish(close?: Buffer): void {
    this.#finishing ??= { close, done: false }
    this.#pump()
  }

  /** Reads for as long as there is something to read, and room for it. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    const { from, to } = this.#options
    if (!to.writable) this.#drop()
    const rule = this.#heedRule()
    while (this.#hasRoom) {
      const received = this.#read()
      if (!received) break
      this.#take(received, rule)
    }
    this.#pumping = false
    if (this.#finishing && !this.#reader.hasMore) this.#finishNow(this.#finishing)
    if (this.#deaf || this.#hasRoom) from.resume()
    else from.pause()
  }

  /** The rule of now. Nobody keeps it: a config that has been replaced is let go. */
  #heedRule(): MessageRule | undefined {
    const { mode, sender } = this.#options
    const rule = mode.ruleFor(sender)
    if (rule) {
      this.#maxSize = rule.maxSize
      this.#concurrency = rule.concurrency
    }
    return rule
  }

  get #hasRoom(): boolean {
    const limit = this.#concurrency
    return this.#order.length < limit && this.#replies < limit && !this.#options.to.writableNeedDrain
  }

  #read(): Received | undefined {
    try {
      return this.#reader.read(this.#maxSize)
    } catch (thrown) {
      this.#stopReading()
      this.#order.add(() => this.#stop(closedByError(toWslbError(thrown))))
      return undefined
    }
  }

  #take(received: Received, rule: MessageRule | undefined): void {
    const { opcode, payload } = received
    if (opcode < OPCODE.close) return this.#ask(received, rule)
    if (opcode === OPCODE.close) {
      this.#deaf = true
      this.#closeComes = true
      return this.#order.add(() => this.#passClose(payload))
    }
    if (opcode === OPCODE.pong && this.#pongs.takes(payload)) return
    this.#order.add(() => this.#write(controlFrame(opcode, payload, this.#masked)))
  }

  /** Has the hook look at a message. */
  #ask(received: Received, rule: MessageRule | undefined): void {
    const { clock, mode, sender } = this.#options
    this.activeAt = clock.now()
    if (!rule) return this.#order.add(() => this.#forward(received))
    const data = received.opcode === OPCODE.text ? received.payload.toString() : received.payload
    const verdict = verdictOf(rule.hook, { from: sender, data }, mode.context)
    if (!(verdict instanceof Promise)) return this.#order.add(() => this.#obey(received, verdict))
    const place = this.#order.reserve()
    void verdict.then((order) => {
      if (!this.#order.settle(place, () => this.#obey(received, order))) return
      this.#pump()
      this.#options.onProgress()
    })
  }

  #obey(received: Received, order: Order): void {
    if (order === 'drop') return
    if (order === 'pass') this.#forward(received)
    else if ('replace' in order) this.#write(order.replace)
    else if ('reply' in order) this.#reply(order.reply)
    else this.#stop(order.stop)
  }

  #forward({ opcode, payload }: Received): void {
    this.#write(dataFrame(opcode, payload, this.#masked))
  }

  #reply(message: Buffer): void {
    if (this.#options.back().send(message, this.#onReplied)) this.#replies++
  }

  readonly #onReplied = (): void => {
    this.#replies--
    this.#pump()
  }

  #passClose(payload: Buffer): void {
    this.closing = true
    this.closeCode = payload.length === 0 ? 1005 : payload.readUInt16BE()
    if (this.#last) this.#writeLast(this.#last)
    else this.#write(controlFrame(OPCODE.close, payload, this.#masked))
  }

  #writeLast(close: Buffer): void {
    this.#write(close)
    this.over = true
  }

  #finishNow(finishing: { close: Buffer | undefined; done: boolean }): void {
    if (finishing.done) return
    finishing.done = true
    const { close } = finishing
    if (close) this.endWith(close)
    this.#stopReading()
    const { to } = this.#options
    this.#order.add(() => void (to.writable && to.end()))
  }

  #late(): void {
    const message = `hooks.onMessage did not settle within ${this.#options.mode.timeout()} ms`
    this.#stop(closedByError(new WslbError('WSLB_HOOK_TIMEOUT', message)))
  }

  /** What came after does not count any more, a Close of the sender included. */
  #stop(stop: MessageStop): void {
    this.#drop()
    this.#closeComes = this.closing
    this.#options.onStop(stop)
  }

  #drop(): void {
    this.#order.clear()
    this.#stopReading()
  }

  #stopReading(): void {
    this.#deaf = true
    this.#reader.close()
  }

  #write(frame: Buffer): void {
    const { to } = this.#options
    if (!this.over && to.writable) to.write(frame)
  }
}
