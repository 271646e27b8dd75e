import { once } from 'node:events'
import { type IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'

/** One connection of a {@link Talker}, from its greeting to its end. */
export interface Visit {
  /** Who greeted it. */
  readonly backend: string
  /** Whether it was given a sticky cookie it had not. */
  readonly newCookie: boolean
  /** Messages sent, and echoes received: number 0, 1, 2 … without a hole. */
  sent: number
  echoed: number
  /** What came in place of the next echo. */
  broken: string | undefined
  code: number | undefined
  reason: string
  /** In milliseconds since 1970. */
  closedAt: number
}

export interface TalkerOptions {
  readonly url: string
  readonly id: number
  /** Within how many milliseconds it comes back after a close, at random; `false`: never. */
  readonly comeBack: number | false
}

/** How many messages may be on their way. */
const WINDOW = 8

/** A client with a cookie that sends numbered messages, wants each of them back, and comes back when it is closed. */
export class Talker {
  readonly visits: Visit[] = []
  /** Handshakes that were refused, or failed. */
  readonly failures: string[] = []
  readonly #options: TalkerOptions
  #socket!: WebSocket
  #cookie: string | undefined
  #leaving = false

  constructor(options: TalkerOptions) {
    this.#options = options
  }

  get visit(): Visit {
    return this.visits.at(-1)!
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN && this.visit.code === undefined
  }

  /** Everything it has sent has come back. */
  get isQuiet(): boolean {
    return this.visit.echoed === this.visit.sent
  }

  /** Settles when a backend has greeted it. */
  async open(): Promise<void> {
    const { url, id } = this.#options
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/?client=${id}&visit=${this.visits.length}`, {
      perMessageDeflate: false,
      headers: this.#cookie ? { cookie: this.#cookie } : {},
    })
    this.#socket = socket
    let newCookie = false
    socket.on('upgrade', ({ headers }: IncomingMessage) => {
      const [pair] = headers['set-cookie']?.[0]?.split(';') ?? []
      newCookie = pair !== undefined && pair !== this.#cookie
      this.#cookie = pair ?? this.#cookie
    })
    this.#begin(socket, await greeting(socket), newCookie)
  }

  /** The next message, unless too many are on their way. */
  say(): void {
    const { visit } = this
    if (!this.isOpen || visit.sent - visit.echoed >= WINDOW) return
    this.#socket.send(String(visit.sent++))
  }

  async leave(): Promise<void> {
    this.#leaving = true
    if (!this.isOpen) return
    this.#socket.close(1000)
    await once(this.#socket, 'close')
  }

  #begin(socket: WebSocket, backend: string, newCookie: boolean): void {
    const visit: Visit = {
      backend,
      newCookie,
      sent: 0,
      echoed: 0,
      broken: undefined,
      code: undefined,
      reason: '',
      closedAt: 0,
    }
    this.visits.push(visit)
    socket.on('message', (data: Buffer) => {
      if (String(data) === String(visit.echoed)) visit.echoed++
      else visit.broken ??= `${String(data)} in place of ${visit.echoed}`
    })
    socket.on('close', (code, reason) => {
      Object.assign(visit, { code, reason: String(reason), closedAt: Date.now() })
      this.#comeBack()
    })
    socket.on('error', (error) => (visit.broken ??= error.message))
  }

  #comeBack(): void {
    const { comeBack } = this.#options
    if (this.#leaving || comeBack === false) return
    setTimeout(() => {
      this.open().catch((error: Error) => {
        this.failures.push(error.message)
        this.#comeBack()
      })
    }, Math.random() * comeBack)
  }
}

/** @throws when it is closed before anything is said */
async function greeting(socket: WebSocket): Promise<string> {
  const closed = new AbortController()
  socket.once('close', () => closed.abort())
  const [backend] = (await once(socket, 'message', { signal: closed.signal })) as [Buffer]
  return String(backend)
}
