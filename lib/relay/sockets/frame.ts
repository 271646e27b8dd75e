import { type Payload } from '../session/envelope.ts'
import { type Message } from '../session/message.ts'
import { type Position } from '../session/position.ts'
import { type Gap } from '../session/session.ts'
import { atOf } from './at.ts'

/** The channel is being followed from here on. */
export interface ReadyFrame {
  readonly channel: string
  readonly at: string
}

export interface MessageFrame extends ReadyFrame {
  readonly data: Payload
}

/** In place of what is lost. */
export interface GapFrame {
  readonly channel: string
  readonly gap: Gap
  /** Behind the gap, where that is known already. */
  readonly at?: string
}

/** What a client is sent. */
export type Frame = ReadyFrame | MessageFrame | GapFrame

/** JSON; bytes are the property `base64` instead of `data`. */
export function encodeFrame(frame: Frame): string {
  if (!('data' in frame) || !(frame.data instanceof Uint8Array)) return JSON.stringify(frame)
  const { channel, data, at } = frame
  return JSON.stringify({ channel, base64: Buffer.from(data).toString('base64'), at })
}

const texts = new WeakMap<Message, { readonly position: Position; readonly text: string }>()

/** The frame as text. It is made once for all who are given the same message at the same place. */
export function messageText(message: Message, position: Position): string {
  const known = texts.get(message)
  if (known?.position === position) return known.text
  const { channel, data } = message
  const text = encodeFrame({ channel, data, at: atOf(position) })
  texts.set(message, { position, text })
  return text
}
