import { type Payload, unseal } from './envelope.ts'
import { type Entry } from './entry.ts'

export interface Message<T extends Payload = Payload> {
  readonly channel: string
  /** The one that was given, or one that is unique. */
  readonly id: string
  /** One object for all listeners of the channel on this node: not to be changed. Bytes are part of what came in one piece. */
  readonly data: T
  /** Place in the log of the channel: 0 where the channel has no history. */
  readonly offset: number
  readonly epoch: string
}

/** As {@link messageOf} found it. */
export interface Opened {
  readonly message: Message
  /** Whether its id was given by the application: then others may have published it too. */
  readonly keyed: boolean
}

/** @returns `undefined` for what nobody wants any more, or what no relay has published */
export function messageOf(
  channel: string,
  epoch: string,
  entry: Entry,
  wallTime: () => number,
): Opened | undefined {
  const envelope = opened(entry.body)
  if (!envelope || (envelope.expires > 0 && envelope.expires <= wallTime())) return undefined
  const { data, id } = envelope
  const message = { channel, id: id ?? messageId(entry), data, offset: entry.offset, epoch }
  return { message, keyed: id !== undefined }
}

/** What a message is called that was given no id. */
export function messageId({ pid, seq }: { pid: string; seq: number }): string {
  return `${pid}:${seq}`
}

function opened(body: Buffer): ReturnType<typeof unseal> | undefined {
  try {
    return unseal(body)
  } catch {
    return undefined
  }
}
