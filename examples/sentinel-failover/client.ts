import { WebSocket } from 'ws'

/** Milliseconds after which a client that was cut off comes back. */
const PAUSE = 100

/** What a node says to its clients. */
interface Frame {
  readonly channel?: string
  readonly at?: string
  readonly data?: { readonly from: string; readonly number: number }
  readonly gap?: unknown
  readonly safe?: number
}

/** A client behind the balancer, which comes back when it is cut off: to whatever node. */
abstract class Client {
  readonly name: string
  /** How often it was cut off. */
  cuts = 0
  readonly #url: string
  #socket: WebSocket | undefined
  #left = false

  constructor(url: string, name: string) {
    this.name = name
    this.#url = `${url.replace(/^http/, 'ws')}/?client=${name}`
  }

  leave(): void {
    this.#left = true
    this.#socket?.terminate()
  }

  /** Settles when it is connected. */
  async enter(): Promise<void> {
    const socket = new WebSocket(`${this.#url}&${this.query()}`)
    this.#socket = socket
    socket.on('error', () => {}) // 'close' follows
    socket.on('message', (data: Buffer) => this.hear(JSON.parse(data.toString()) as Frame))
    await new Promise<void>((resolve) => {
      socket.once('open', resolve)
      socket.once('close', () => setTimeout(() => void this.#comeBack().then(resolve), PAUSE))
    })
    if (socket.readyState === WebSocket.OPEN) this.entered()
  }

  protected say(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text)
  }

  async #comeBack(): Promise<void> {
    if (this.#left) return
    this.cuts++
    await this.enter()
  }

  protected abstract query(): string
  protected abstract entered(): void
  protected abstract hear(frame: Frame): void
}

/** Says 1, 2, 3 …, and again what nobody has confirmed when it comes back. */
export class Publisher extends Client {
  said = 0
  /** Everything up to and with it is safe. */
  safe = 0

  next(): void {
    this.say(String(++this.said))
  }

  protected query(): string {
    return ''
  }

  protected entered(): void {
    for (let number = this.safe + 1; number <= this.said; number++) this.say(String(number))
  }

  protected hear({ safe }: Frame): void {
    if (safe !== undefined) this.safe = Math.max(this.safe, safe)
  }
}

/** Hears everybody, and keeps account. It comes back with its place in the channel, so it gets what it has missed. */
export class Subscriber extends Client {
  /** Publisher → the last number that was heard. */
  readonly heard = new Map<string, number>()
  delivered = 0
  lost = 0
  doubled = 0
  /** Times that the relay has said that something is lost. */
  gaps = 0
  /** Milliseconds. */
  longestSilence = 0
  /** Settles when a node has told it its place in the channel: from there on it hears everything. */
  readonly placed: Promise<void>
  #settlePlaced!: () => void
  #heardAt = performance.now()
  #at: string | undefined

  constructor(url: string, name: string) {
    super(url, name)
    this.placed = new Promise((resolve) => (this.#settlePlaced = resolve))
  }

  get silence(): number {
    return performance.now() - this.#heardAt
  }

  protected query(): string {
    const resume =
      this.#at === undefined ? '' : `&resume=${encodeURIComponent(JSON.stringify({ ticker: this.#at }))}`
    return `listen${resume}`
  }

  protected entered(): void {}

  protected hear({ channel, at, data, gap }: Frame): void {
    if (channel !== 'ticker') return
    if (at !== undefined) this.#at = at
    this.#settlePlaced()
    if (gap !== undefined) this.gaps++
    if (data === undefined) return
    this.longestSilence = Math.max(this.longestSilence, this.silence)
    this.#heardAt = performance.now()
    this.delivered++
    // A publisher's messages come in order: what is passed over will not come any more.
    const last = this.heard.get(data.from) ?? 0
    if (data.number <= last) this.doubled++
    else this.lost += data.number - last - 1
    this.heard.set(data.from, Math.max(last, data.number))
  }
}
