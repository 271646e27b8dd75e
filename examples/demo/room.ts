import { WebSocket } from 'ws'

/** What a client may send at most, in characters; a WebSocket message of more than {@link MAX_PAYLOAD} bytes is refused. */
const MAX_TEXT = 500
const MAX_AUTHOR = 24
export const MAX_PAYLOAD = 4_096
const MAX_HISTORY = 50
/** A client that reads slower than the others talk is let go rather than buffered for. */
const MAX_BUFFERED = 1_048_576

interface ChatMessage {
  readonly author: string
  readonly text: string
  /** The backend of the client that wrote it. */
  readonly backend: string
  readonly at: number
}

/** What a demo backend shows of itself. */
export interface Occupant {
  readonly name: string
  readonly stopped: boolean
  readonly clients: ReadonlySet<WebSocket>
}

/**
 * The chat that all demo backends share. They live in one process, so a message reaches the clients of the others
 * through memory; servers of their own need something between them for that, such as Redis publish/subscribe.
 */
export class Room {
  readonly #occupants = new Set<Occupant>()
  readonly #history: ChatMessage[] = []

  enter(occupant: Occupant): void {
    this.#occupants.add(occupant)
    this.announce()
  }

  leave(occupant: Occupant): void {
    this.#occupants.delete(occupant)
    this.announce()
  }

  welcome(client: WebSocket, backend: string): void {
    send(client, { type: 'hello', backend, history: this.#history, backends: this.#list() })
    this.announce()
  }

  /** Takes what a client sent; anything but a well-formed message is ignored. */
  hear(data: string, backend: string): void {
    const said = parse(data)
    if (!said) return
    const message: ChatMessage = { ...said, backend, at: Date.now() }
    this.#history.push(message)
    if (this.#history.length > MAX_HISTORY) this.#history.shift()
    this.#broadcast({ type: 'message', message })
  }

  /** Tells everybody who is there. */
  announce(): void {
    this.#broadcast({ type: 'backends', backends: this.#list() })
  }

  #list(): object[] {
    return [...this.#occupants].map(({ name, stopped, clients }) => ({
      name,
      stopped,
      clients: clients.size,
    }))
  }

  #broadcast(event: object): void {
    for (const { clients } of this.#occupants) for (const client of clients) send(client, event)
  }
}

function send(client: WebSocket, event: object): void {
  if (client.bufferedAmount > MAX_BUFFERED) client.terminate()
  else if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify(event))
}

function parse(data: string): { author: string; text: string } | undefined {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return undefined
  }
  const { author, text } = (value ?? {}) as Record<string, unknown>
  if (typeof author !== 'string' || typeof text !== 'string' || !text.trim()) return undefined
  return { author: author.trim().slice(0, MAX_AUTHOR) || 'somebody', text: text.trim().slice(0, MAX_TEXT) }
}
