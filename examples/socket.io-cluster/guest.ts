import { type Socket, io } from 'socket.io-client'

/** A client that counts what it gets: the news are numbered. */
export class Guest {
  /** The server it is at. */
  node: string | undefined
  /** How often it went on where it was, and how often it began anew. */
  recovered = 0
  anew = 0
  lost = 0
  doubled = 0
  readonly socket: Socket
  readonly heard: string[] = []
  #last: number | undefined

  constructor(url: string, transports: string[]) {
    this.socket = io(url, { transports, forceNew: true, withCredentials: true, reconnectionDelay: 100 })
    this.socket.on('connect', () => {
      if (this.socket.recovered) this.recovered++
      else this.anew++
      // It would ask for the state of things now.
      if (!this.socket.recovered) this.#last = undefined
    })
    this.socket.on('disconnect', () => (this.node = undefined))
    this.socket.on('welcome', (node: string) => (this.node = node))
    this.socket.on('said', (text: string) => this.heard.push(text))
    this.socket.on('news', (number: number) => {
      const next = (this.#last ?? number - 1) + 1
      this.lost += Math.max(0, number - next)
      this.doubled += number < next ? 1 : 0
      this.#last = Math.max(number, next - 1)
    })
  }
}
