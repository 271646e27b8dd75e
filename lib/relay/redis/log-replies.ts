import { type Appended, type Batch, type Entry, type History } from '../session/entry.ts'
import { type Reply } from '../session/evaluator.ts'
import { type Boundary, type Origin } from '../session/position.ts'
import { type GapReason, type Slice } from '../session/session.ts'
import { type Keys } from './keys.ts'

/** Bytes of a slice at most, unless its first entry alone has more. */
const SLICE_BYTES = 256 << 10

interface Question {
  readonly keys: readonly string[]
  readonly args: readonly (string | Buffer)[]
}

export function appendOf(
  names: Keys,
  epoch: string,
  fence: string,
  channel: string,
  { pid, floor, entries }: Batch,
  { length, ttl }: History,
): Question {
  const keys = [names.meta(channel), names.log(channel), names.publisher(channel, pid)]
  const numbers = [floor, entries[0]?.seq ?? floor, length, ttl].map(String)
  const args: (string | Buffer)[] = [epoch, fence, pid, ...numbers, names.pushes(channel)]
  let flags = ''
  for (const { id } of entries) {
    flags += id === undefined ? '0' : '1'
    if (id !== undefined) keys.push(names.id(channel, id))
  }
  args.push(
    flags,
    entries.map(({ body }) => body.length).join(),
    Buffer.concat(entries.map(({ body }) => body)),
  )
  return { keys, args }
}

export function appendedOf(reply: Reply): Appended {
  if (!Array.isArray(reply)) return { status: 'hole', last: Number(reply) }
  const [epoch, receivers, ...offsets] = reply as [Buffer, number, ...number[]]
  const placed = offsets.map((offset) => {
    const duplicate = offset <= 0
    return { offset: Math.abs(offset), duplicate, receivers: duplicate ? 0 : receivers }
  })
  return { status: 'placed', epoch: epoch.toString(), placed }
}

export function readOf(
  names: Keys,
  epoch: string,
  fence: string,
  channel: string,
  origin: Origin,
  limit: number,
): Question {
  const [kind, marks] = typeof origin === 'string' ? [origin, []] : ['trail', origin]
  const args = [epoch, fence, kind, String(limit), String(SLICE_BYTES)]
  for (const mark of marks) args.push(mark.epoch, String(mark.offset))
  return { keys: [names.meta(channel), names.log(channel)], args }
}

export function sliceOf(reply: Reply): Slice {
  const [epoch, chain, top, after, from, to, reason, first, ...rest] = reply as readonly [
    epoch: Buffer,
    chain: Buffer,
    top: number,
    after: number,
    from: number,
    to: number,
    reason: Buffer,
    first: number,
    ...rest: Buffer[],
  ]
  const gap = reason.length > 0 ? { from, to, reason: reason.toString() as GapReason } : undefined
  return { epoch: epoch.toString(), chain: chainOf(chain), top, after, gap, entries: entriesOf(rest, first) }
}

function chainOf(chain: Buffer): readonly Boundary[] {
  return chain
    .toString()
    .split(',')
    .map((link) => {
      const [epoch = '', offset] = link.split(':')
      return { epoch, offset: Number(offset) }
    })
}

function entriesOf(parts: readonly Buffer[], first: number): readonly Entry[] {
  const entries: Entry[] = []
  for (let index = 0; index < parts.length; index += 2) {
    const [pid = '', seq] = parts[index]!.toString('latin1').split(':')
    entries.push({ offset: first + index / 2, pid, seq: Number(seq), body: parts[index + 1]! })
  }
  return entries
}
