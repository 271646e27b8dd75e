import { type Mark, type Position } from '../session/position.ts'

/** Marks that are kept: the older one is for a master that the newest epoch has not reached. */
const MARKS = 2
/** Publishers that are kept, the latest. */
const PUBLISHERS = 32
/** Characters. What is longer, no node has written. */
const LONGEST = 2_048

const NUMBER = '[0-9a-z]{1,10}'
const SYNTAX = new RegExp(
  `^${NUMBER}:[\\w.-]{1,64}(,${NUMBER}:[\\w.-]{1,64}){0,${MARKS - 1}}(;[\\w.~-]{1,64}:${NUMBER}(,[\\w.~-]{1,64}:${NUMBER}){0,${PUBLISHERS - 1}})?$`,
)

/** Positions are shared by all who follow a channel, and so is what is made of them. */
const written = new WeakMap<Position, string>()

/** `offset:epoch[,offset:epoch][;publisher:number,…]`, numbers to base 36. */
export function atOf(position: Position): string {
  let at = written.get(position)
  if (at === undefined) written.set(position, (at = write(position)))
  return at
}

/** @returns `undefined` for what {@link atOf} has not written */
export function positionAt(at: unknown): Position | undefined {
  if (typeof at !== 'string' || at.length > LONGEST || !SYNTAX.test(at)) return undefined
  const [marks = '', publishers = ''] = at.split(';')
  const [newest, ...trail] = marks.split(',').map(markOf)
  const seen = Object.fromEntries(publishers === '' ? [] : publishers.split(',').map(publisherOf))
  const numbers = [newest!, ...trail].map(({ offset }) => offset).concat(Object.values(seen))
  return numbers.every((number) => Number.isSafeInteger(number)) ? { ...newest!, trail, seen } : undefined
}

function write({ epoch, offset, trail = [], seen = {} }: Position): string {
  const marks = [{ epoch, offset }, ...trail].slice(0, MARKS)
  const publishers = Object.entries(seen).slice(-PUBLISHERS)
  const place = marks.map(({ epoch, offset }) => `${offset.toString(36)}:${epoch}`).join()
  if (publishers.length === 0) return place
  return `${place};${publishers.map(([pid, seq]) => `${pid}:${seq.toString(36)}`).join()}`
}

function markOf(text: string): Mark {
  const [offset, epoch] = text.split(':') as [string, string]
  return { epoch, offset: parseInt(offset, 36) }
}

function publisherOf(text: string): [pid: string, seq: number] {
  const [pid, seq] = text.split(':') as [string, string]
  return [pid, parseInt(seq, 36)]
}
