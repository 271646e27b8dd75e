import { type Socket } from 'node:net'
import { Client, type Dispatcher } from 'undici'
import { WslbError } from '../core/errors.ts'

/** The connection one request is given. */
export interface HttpConnection {
  /** It has served others before, and may just be closing. */
  readonly reused: boolean
  /**
   * Destroys it, for a request under way that nobody wants any more. The `abort` of undici 7 does that too, but then
   * opens another connection, only to find that the request was aborted.
   */
  cut(error: Error): void
}

export interface HttpDispatchOptions extends Dispatcher.DispatchOptions {
  /** Told before anything is sent. */
  onConnection?(connection: HttpConnection): void
}

/** One keep-alive connection, one request at a time. */
export class HttpClient extends Client {
  readonly #current: { socket?: Socket }

  constructor(origin: URL, options: Client.Options, open: () => Promise<Socket>) {
    const current: { socket?: Socket } = {}
    super(origin, {
      ...options,
      connect: (_options, callback) => {
        open().then(
          (socket) => {
            // It may have died in the moment between our listeners and undici's.
            if (socket.destroyed) callback(lost(origin), null)
            else callback(null, (current.socket = socket))
          },
          (error: Error) => callback(error, null),
        )
      },
    })
    this.#current = current
  }

  override dispatch(options: HttpDispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const current = this.#current
    options.onConnection?.({
      reused: this.stats.connected,
      cut: (error) => current.socket?.destroy(error),
    })
    return super.dispatch(options, handler)
  }
}

function lost({ host }: URL): WslbError {
  return new WslbError('WSLB_CONNECT_FAILED', `${host} closed the connection as soon as it was open`)
}
