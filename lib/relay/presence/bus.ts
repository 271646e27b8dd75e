import { type Payload } from '../session/envelope.ts'
import { type Message } from '../session/message.ts'

/** What presence needs of a relay. */
export interface Bus {
  publish(channel: string, data: Payload, options: { id?: string; ack: 'master' }): Promise<unknown>
  subscribe(channel: string, listener: (message: Message) => void, onGap: () => void): Listening
  /** A listener of the application has thrown. */
  failed(error: unknown, channel: string): void
}

export interface Listening {
  readonly ready: Promise<void>
  close(): void
}
