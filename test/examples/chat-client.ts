import { EventEmitter, once } from 'node:events'
import { type IncomingMessage } from 'node:http'
import { type ClientOptions, WebSocket } from 'ws'

interface ChatMessage {
  readonly author: string
  readonly text: string
  readonly backend: string
}

interface BackendLine {
  readonly name: string
  readonly stopped: boolean
  readonly clients: number
}

interface ChatEvent {
  readonly type: 'hello' | 'message' | 'backends'
  readonly backend?: string
  readonly history?: readonly ChatMessage[]
  readonly message?: ChatMessage
  readonly backends?: readonly BackendLine[]
}

/** What the page of the demo does, without the page. */
export class ChatClient {
  readonly socket: WebSocket
  readonly events: ChatEvent[] = []
  readonly #changed = new EventEmitter()
  /** The sticky cookie of the 101. */
  cookie: string | undefined
  closeCode: number | undefined

  constructor(url: string, options: ClientOptions) {
    this.socket = new WebSocket(`${url.replace(/^http/, 'ws')}/chat`, {
      rejectUnauthorized: false,
      ...options,
    })
    this.socket.on('upgrade', ({ headers }: IncomingMessage) => {
      this.cookie = headers['set-cookie']?.[0]?.split(';')[0]
    })
    this.socket.on('message', (data) => {
      this.events.push(JSON.parse((data as Buffer).toString()) as ChatEvent)
      this.#changed.emit('change')
    })
    this.socket.on('close', (code) => {
      this.closeCode = code
      this.#changed.emit('change')
    })
  }

  /** Connects and waits to be greeted. Rejects when the upgrade is refused. */
  static async enter(url: string, options: ClientOptions = {}): Promise<ChatClient> {
    const client = new ChatClient(url, options)
    await once(client.socket, 'message')
    return client
  }

  get hello(): ChatEvent {
    return this.events[0]!
  }

  get backend(): string {
    return this.hello.backend!
  }

  say(text: string, author = 'ada'): void {
    this.socket.send(JSON.stringify({ author, text }))
  }

  /** Waits for a message of the chat, one that has come before included. */
  async hears(text: string): Promise<ChatMessage> {
    const heard = await this.until(({ message }) => message?.text === text)
    return heard.message!
  }

  /** Waits until the list of backends is as it should be. */
  sees(wanted: (backends: readonly BackendLine[]) => boolean): Promise<ChatEvent> {
    return this.until(({ backends }) => backends !== undefined && wanted(backends))
  }

  async until(wanted: (event: ChatEvent) => boolean): Promise<ChatEvent> {
    for (;;) {
      const event = this.events.find(wanted)
      if (event) return event
      if (this.closeCode !== undefined) throw new Error(`closed with ${this.closeCode}`)
      await once(this.#changed, 'change')
    }
  }

  async closed(): Promise<number> {
    while (this.closeCode === undefined) await once(this.#changed, 'change')
    return this.closeCode
  }

  leave(): void {
    this.socket.terminate()
  }
}
