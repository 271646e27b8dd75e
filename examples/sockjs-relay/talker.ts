import SockJS from 'sockjs-client'

/** A client that says a number now and then, and keeps account of what it hears of all talkers. */
export class Talker {
  /** Who greeted it. */
  node = ''
  /** Name of a talker → the numbers that were heard of it, in their order. */
  readonly heard = new Map<string, number[]>()
  said = 0
  readonly #name: string
  readonly #socket: InstanceType<typeof SockJS>

  private constructor(url: string, name: string, transport: string) {
    this.#name = name
    this.#socket = new SockJS(`${url}/chat`, null, { transports: transport })
  }

  /** Settles when a node has greeted it. */
  static async enter(url: string, name: string, transport: string): Promise<Talker> {
    const talker = new Talker(url, name, transport)
    await new Promise<void>((resolve, reject) => {
      talker.#socket.onclose = ({ reason }) => reject(new Error(`${name} got no connection: ${reason}`))
      talker.#socket.onmessage = ({ data }) => {
        const message = JSON.parse(String(data)) as { welcome?: string; text?: string }
        if (message.text !== undefined) return talker.#hear(message.text)
        talker.node = message.welcome!
        resolve()
      }
    })
    return talker
  }

  say(): void {
    this.#socket.send(`${this.#name} ${++this.said}`)
  }

  leave(): void {
    this.#socket.onclose = null
    this.#socket.close()
  }

  #hear(text: string): void {
    const [name = '', number] = text.split(' ')
    const numbers = this.heard.get(name)
    if (numbers) numbers.push(Number(number))
    else this.heard.set(name, [Number(number)])
  }
}
