/** Records of the JSON protocol end with this. */
const END = '\x1e'

/** Types of messages, as HubProtocol.md of dotnet/aspnetcore numbers them. */
const INVOCATION = 1
const STREAM_ITEM = 2
const COMPLETION = 3
const STREAM_INVOCATION = 4
const PING = 6
const CLOSE = 7

interface HubMessage {
  readonly type: number
  readonly invocationId?: string
  readonly target?: string
  readonly arguments?: readonly unknown[]
}

/** What a client may invoke; a generator is a stream. An error becomes the error of the completion. */
export type HubMethods = Record<string, (...args: readonly never[]) => unknown>

/** The server's end of one client of a hub: HubProtocol.md of dotnet/aspnetcore with its JSON encoding. */
export class HubConnection {
  readonly #methods: HubMethods
  readonly #send: (text: string) => void
  readonly #close: () => void
  #rest = ''
  #greeted = false

  /** @param close ends the transport */
  constructor(methods: HubMethods, send: (text: string) => void, close: () => void) {
    this.#methods = methods
    this.#send = send
    this.#close = close
  }

  /** Records may come in pieces, or several at once. */
  receive(text: string): void {
    const records = (this.#rest + text).split(END)
    this.#rest = records.pop()!
    for (const record of records) this.#take(record)
  }

  /** Calls a method of the client, which does not answer. */
  invoke(target: string, ...args: unknown[]): void {
    this.#write({ type: INVOCATION, target, arguments: args })
  }

  #take(record: string): void {
    if (this.#greeted) return this.#dispatch(JSON.parse(record) as HubMessage)
    const { protocol, version } = JSON.parse(record) as { protocol?: string; version?: number }
    if (protocol !== 'json' || version !== 1) {
      this.#write({ error: `Requested protocol '${protocol}' is not available.` })
      return this.#close()
    }
    this.#greeted = true
    this.#write({})
  }

  #dispatch({ type, invocationId, target = '', arguments: args = [] }: HubMessage): void {
    if (type === INVOCATION || type === STREAM_INVOCATION) this.#call(invocationId, target, args)
    else if (type === CLOSE) this.#close()
    else if (type !== PING) {
      this.#write({ type: CLOSE, error: `message type ${type} is not known here` })
      this.#close()
    }
  }

  #call(invocationId: string | undefined, target: string, args: readonly unknown[]): void {
    try {
      const result = this.#methods[target]!(...(args as readonly never[]))
      if (invocationId === undefined) return
      if (!isStream(result)) return this.#write({ type: COMPLETION, invocationId, result })
      for (const item of result) this.#write({ type: STREAM_ITEM, invocationId, item })
      this.#write({ type: COMPLETION, invocationId })
    } catch (error) {
      this.#write({ type: COMPLETION, invocationId, error: String(error) })
    }
  }

  #write(message: object): void {
    this.#send(JSON.stringify(message) + END)
  }
}

function isStream(result: unknown): result is Generator {
  return typeof (result as Partial<Generator> | undefined)?.next === 'function'
}
