import { type BroadcastFlags, type BroadcastOptions, type MessageType, type Room } from 'socket.io-adapter'
import { type Payload } from '../session/envelope.ts'
import { decodeFields, encodeFields } from './message-codec.ts'
import { type HostPacket } from './namespace.ts'

/** What an adapter says to those of its namespace, itself included, or answers to one of them. */
export interface Told {
  readonly type: MessageType
  /** Of the adapter that says it. */
  readonly uid: string
  /** 1, 2, 3 … for what an adapter says to all. */
  readonly number: number
  readonly data: unknown
}

/** Whom a packet is for, and how it is sent: what adapters call `BroadcastOptions`. */
export interface Audience {
  readonly rooms: Set<Room>
  readonly except: Set<Room>
  readonly flags: BroadcastFlags
}

/** An audience as the base class writes it. */
export interface ToldOptions {
  readonly rooms: Room[]
  readonly except: Room[]
  readonly flags: BroadcastFlags
}

/** The data of a `BROADCAST`. */
export interface ToldBroadcast {
  readonly packet: HostPacket
  readonly opts: ToldOptions
  /** Set when clients are to answer. */
  readonly requestId?: string
}

/** The data of what is to be answered by every node. */
export interface ToldQuestion {
  readonly opts: ToldOptions
  readonly requestId: string
}

/** @throws TypeError for what JSON cannot hold */
export function encodeTold({ type, uid, number, data }: Told): string | Buffer {
  return encodeFields([type, uid, number, data])
}

/** @throws Error for what no adapter has said */
export function decodeTold(payload: Payload): Told {
  const [type, uid, number, data] = decodeFields(payload)
  return { type, uid, number, data } as Told
}

export function withDefaults({ rooms, except = new Set(), flags = {} }: BroadcastOptions): Audience {
  return { rooms, except, flags }
}

export function toldOptions({ rooms, except = new Set(), flags = {} }: BroadcastOptions): ToldOptions {
  return { rooms: [...rooms], except: [...except], flags }
}

export function audienceOf({ rooms, except, flags }: ToldOptions): Audience {
  return { rooms: new Set(rooms), except: new Set(except), flags }
}
