import { type ClusterResponse, MessageType } from 'socket.io-adapter'
import { type Clock, type Timer } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { Headcount } from './headcount.ts'
import { RollCall } from './roll-call.ts'

/** @param error when not all have answered */
export type Answered = (error: Error | null, answers: unknown[]) => void

interface Question {
  readonly asked: RollCall<unknown> | Headcount
  readonly timer: Timer
  /** Why there will be no more answers. */
  readonly fail: (reason: string) => void
  /** Whether it stands in the log: who joins later has not heard it. */
  heard: boolean
}

/** What this node has asked all nodes of its namespace, and was not answered by all yet. */
export class Questions {
  readonly #clock: Clock
  readonly #open = new Map<string, Question>()
  #last = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @returns the id of the question. @param nodes who is to answer */
  gather(timeout: number, nodes: Promise<Iterable<string>>, told: Answered): string {
    const finish = (error: Error | null) => {
      if (this.#close(id)) told(error, call.answers)
    }
    const call = new RollCall<unknown>(() => finish(null))
    const late = () => finish(new Error(`timeout reached: missing ${call.missing} responses`))
    const id = this.#ask(call, timeout, late, (reason) => finish(new Error(reason)))
    void nodes.then((names) => call.await(names))
    return id
  }

  /** @returns the id of the question. It stays open for its time: clients answer one by one. */
  count(timeout: number, nodes: Promise<Iterable<string>>, headcount: Headcount): string {
    const alone = () => void nodes.then((names) => [...names].forEach((node) => headcount.leave(node)))
    const id = this.#ask(headcount, timeout, () => this.#close(id), alone)
    void nodes.then((names) => headcount.await(names))
    return id
  }

  /** What another node, or this one, says to a question. Late answers are dropped. */
  hear({ type, uid, data }: ClusterResponse): void {
    const asked = this.#open.get(data.requestId)?.asked
    if (asked instanceof Headcount) {
      if (type === MessageType.BROADCAST_CLIENT_COUNT) asked.count(uid, data.clientCount)
      if (type === MessageType.BROADCAST_ACK) asked.ack(uid, data.packet)
    } else {
      if (type === MessageType.FETCH_SOCKETS_RESPONSE) asked?.answer(uid, data.sockets)
      if (type === MessageType.SERVER_SIDE_EMIT_RESPONSE) asked?.answer(uid, [data.packet])
    }
  }

  /** The question stands in the log. */
  heard(id: string): void {
    const question = this.#open.get(id)
    if (question) question.heard = true
  }

  joined(node: string): void {
    for (const { asked, heard } of this.#open.values()) if (heard) asked.leave(node)
  }

  left(node: string): void {
    for (const { asked } of this.#open.values()) asked.leave(node)
  }

  /** The question could not be asked. */
  fail(id: string, error: unknown): void {
    this.#open.get(id)?.fail(messageOf(error))
  }

  /** It was not asked after all. */
  drop(id: string): void {
    this.#close(id)
  }

  close(): void {
    for (const { fail } of [...this.#open.values()]) fail('the adapter was closed')
    for (const id of [...this.#open.keys()]) this.#close(id)
  }

  #ask(asked: Question['asked'], timeout: number, late: () => void, fail: Question['fail']): string {
    const id = String(++this.#last)
    this.#open.set(id, { asked, timer: this.#clock.schedule(timeout, late), fail, heard: false })
    return id
  }

  /** @returns whether it was open */
  #close(id: string): boolean {
    this.#open.get(id)?.timer.cancel()
    return this.#open.delete(id)
  }
}
