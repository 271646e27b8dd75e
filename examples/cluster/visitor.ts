import { type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** A browser with a WebSocket: it keeps its cookie, and comes back at once when it is cut off. */
export class Visitor {
  /** Who greeted it last. */
  worker: string | undefined
  /** How often it was cut off. */
  cuts = 0
  readonly #url: string
  readonly #headers: Record<string, string>
  #socket: WebSocket | undefined
  #greeted = false
  #left = false

  /** @param address what it says its address is, as a proxy before us would */
  constructor(url: string, name: string, address: string) {
    this.#url = `${url.replace(/^http/, 'ws')}/?visitor=${name}`
    this.#headers = { 'x-forwarded-for': address }
  }

  get isOpen(): boolean {
    return this.#greeted && this.#socket?.readyState === WebSocket.OPEN
  }

  /** Settles when a worker has greeted it. */
  async enter(): Promise<void> {
    const socket = new WebSocket(this.#url, { headers: this.#headers })
    this.#socket = socket
    socket.on('error', () => {}) // 'close' follows
    socket.on('upgrade', ({ headers }: IncomingMessage) => {
      const cookie = headers['set-cookie']?.[0]?.split(';')[0]
      if (cookie) this.#headers.cookie = cookie
    })
    await new Promise<void>((resolve) => {
      socket.once('message', (data: Buffer) => {
        this.worker = (JSON.parse(data.toString()) as { worker: string }).worker
        this.#greeted = true
        resolve()
      })
      socket.once('close', () => resolve(this.#comeBack()))
    })
  }

  leave(): void {
    this.#left = true
    this.#socket?.terminate()
  }

  async #comeBack(): Promise<void> {
    if (this.#greeted) this.cuts++
    this.#greeted = false
    await sleep(50 + Math.random() * 100)
    if (!this.#left) await this.enter()
  }
}
