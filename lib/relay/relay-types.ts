import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type Payload } from './session/envelope.ts'
import { type SubscribeOptions } from './delivery/subscription.ts'
import { type HistoryOptions } from './options.ts'
import { type Message } from './session/message.ts'
import { type Presence } from './presence/presence.ts'
import { type Position } from './session/position.ts'
import { type Owner } from './session/registry.ts'
import { type AttachOptions, type Attachment } from './sockets/attachment.ts'
import { type RelaySocket } from './sockets/socket.ts'

/**
 * Joins the nodes of an application: what is published on one of them reaches every subscriber on all of them. A change of
 * the Redis master makes it slow for a moment; it loses, doubles and re-orders nothing, or says so as a `gap`.
 */
export interface Relay {
  readonly nodeId: string
  /** Settles when there is a master that may be used; rejects when the relay is closed before. */
  ready(): Promise<void>
  /**
   * Rejects only with `WSLB_RELAY_FULL`, `WSLB_RELAY_TOO_LARGE` and `WSLB_CLOSED`: while Redis is away the message waits.
   * @throws TypeError for what cannot be published
   */
  publish(channel: string, data: Payload, options?: PublishOptions): Promise<Published>
  /** @typeParam T what is published there, which nobody checks */
  subscribe<T extends Payload = Payload>(
    channel: string,
    listener: (message: Message<T>) => void,
    options?: SubscribeOptions,
  ): Subscription
  /** The same with other history, for what is published and read through it: every node must give it the same one. */
  channel<T extends Payload = Payload>(name: string, options?: { history?: HistoryOptions }): Channel<T>
  /** To the nodes that the client is connected to, by {@link attach}. */
  sendTo(clientId: string, data: Payload, options?: SendOptions): Promise<Sent>
  /** Who is in a room, on all nodes together. */
  presence(room: string): Presence
  /**
   * The newest connection of a client, by {@link attach}; `null` when it has none, or when its node is dead.
   * @throws WslbError `WSLB_RELAY_AWAY` when there is no master for half a minute; `WSLB_CLOSED`
   */
  locate(clientId: string): Promise<Owner | null>
  /**
   * Gives a socket what its client subscribes to and what is sent to the client, until the socket closes. This is the
   * connection of the client from now on; an older one, of any node, is told.
   * @throws ConfigError without a client id; WslbError `WSLB_CLOSED`
   */
  attach(socket: RelaySocket, options: AttachOptions): Attachment
  /**
   * Answers `GET /relay/health`, with the status as JSON: 200, and 503 once the relay is closed. With `?ready` 503 also
   * while it is not `ready`. @returns whether the request was for it
   */
  handleHealth(request: IncomingMessage, response: ServerResponse): boolean
  status(): RelayStatus
  /** Publishes that wait are sent for at most `drainMs` milliseconds, then rejected. Idempotent. @default drainMs 1000 */
  close(options?: { drainMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface Channel<T extends Payload = Payload> {
  readonly name: string
  publish(data: T, options?: PublishOptions): Promise<Published>
  subscribe(listener: (message: Message<T>) => void, options?: SubscribeOptions): Subscription
}

export interface PublishOptions {
  /** A message with the same id, of whatever publisher, is appended once; ids are known for ten minutes. */
  id?: string
  /**
   * When `publish()` resolves: when `publish.replicas` replicas hold the message, when the master has it, or at once.
   * @default 'replicated'
   */
  ack?: 'replicated' | 'master' | 'none'
  /** Milliseconds after which it is not delivered any more. @default never */
  ttlMs?: number
}

export interface Published {
  /** The one given, or one that is unique. */
  readonly id: string
  /** Place in the log; 0 for `ack: 'none'` and for a channel without history. */
  readonly offset: number
  readonly epoch: string
  /** How many replicas are known to hold it. */
  readonly replicas: number
  /** It was there already. */
  readonly duplicate: boolean
}

export interface Subscription {
  readonly channel: string
  /** Settles when everything published from then on is delivered. */
  readonly ready: Promise<void>
  /** After the last message whose listener was called; `undefined` until the beginning is known. */
  position(): Position | undefined
  /** Delivers nothing until {@link resume}; keeps its position, and nothing else. */
  pause(): void
  /** Goes on where it stood. @param skip with the newest message; what came before it meanwhile is told as a gap */
  resume(options?: { skip?: boolean }): void
  /** Nothing is delivered after it. Idempotent. */
  close(): void
}

export interface SendOptions extends PublishOptions {
  /** Keep it for a client that is just away. @default true */
  history?: boolean
}

export interface Sent extends Published {
  /** Nodes that got it at once: 0 when nobody holds the client at the moment. */
  readonly nodes: number
}

export type RelayState = 'connecting' | 'ready' | 'refused' | 'away' | 'closed'

export interface RelayStatus {
  readonly nodeId: string
  readonly transport: string
  /** `refused`: there is a master, and it refuses publishes; `away`: there was one. */
  readonly state: RelayState
  /** Why it is not `ready`. */
  readonly trouble: string | undefined
  readonly master: string | undefined
  readonly epoch: string | undefined
  /** `undefined` where there is no lease. */
  readonly leaseMsLeft: number | undefined
  readonly outbox: { readonly messages: number; readonly bytes: number; readonly oldestMs: number }
  readonly subscriptions: number
  /** Gaps told, messages dropped because they were there already, and times that a log fell back. */
  readonly gaps: number
  readonly dup: number
  readonly rewinds: number
  /** Epoch → how many nodes, this one included, said last that they are on it. */
  readonly epochsInUseByPeers: Readonly<Record<string, number>>
}
