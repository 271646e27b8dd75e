import { randomBytes } from 'node:crypto'
import { type Duplex } from 'node:stream'
import { type Clock } from '../core/clock.ts'
import { FrameTracker, OPCODE } from '../protocol/frame-tracker.ts'
import { closeFrame, controlFrame } from '../protocol/frame-writer.ts'
import { checkAnswer } from '../protocol/handshake.ts'
import { PongFilter } from '../protocol/pong-filter.ts'
import { ask } from './ask.ts'
import { type Probe } from './probe.ts'
import { withConnection } from './with-connection.ts'

export interface WebsocketProbeOptions {
  /** @default '/' */
  readonly path?: string
  /** Sent with the upgrade, e.g. `origin` or `sec-websocket-protocol`; `host` defaults to the backend's. @default none */
  readonly headers?: Readonly<Record<string, string>>
  /** Sends a Ping too, and waits for its Pong. @default false */
  readonly ping?: boolean
}

/** Opens a WebSocket as a client does (RFC 6455 §4.1), pings it if asked to, and closes it with 1000. */
export function websocketProbe({ path = '/', headers, ping = false }: WebsocketProbeOptions = {}): Probe {
  return (_backend, context) =>
    withConnection(context, async (socket) => {
      const key = randomBytes(16).toString('base64')
      const given = { host: context.host, 'user-agent': 'wslb health probe', ...headers }
      const handshake = {
        ...{ connection: 'Upgrade', upgrade: 'websocket' },
        ...{ 'sec-websocket-version': '13', 'sec-websocket-key': key },
      }
      const question = { method: 'GET', path, headers: { ...given, ...handshake } }
      const { response, head } = await ask(socket, question)
      if (!head) {
        throw new Error(
          `the upgrade of ${path} was answered ${response.statusCode} and not 101 (see health.path)`,
        )
      }
      checkAnswer(key, response.rawHeaders)
      await talk(socket, head, ping, context.clock)
    })
}

/** Milliseconds that the backend has to answer our Close. That it does not is no failure. */
const GOODBYE = 1_000

/** Whatever else the backend says, a greeting, a state of many megabytes, is passed over and not kept. */
function talk(socket: Duplex, head: Buffer, ping: boolean, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const tracker = new FrameTracker()
    const filter = new PongFilter(tracker)
    let goodbye: ReturnType<Clock['schedule']> | undefined
    const settle = (reason?: string) => {
      goodbye?.cancel()
      if (reason === undefined) resolve()
      else reject(new Error(reason))
    }
    const sayGoodbye = () => {
      goodbye = clock.schedule(GOODBYE, settle)
      socket.write(closeFrame(1000, '', true))
    }
    const onData = (chunk: Buffer) => {
      filter.pass(chunk, () => {})
      if (tracker.closing)
        settle(goodbye ? undefined : `closed the WebSocket with ${tracker.closeCode} unasked`)
    }
    const onEnd = () => settle(goodbye ? undefined : 'ended the connection before its Pong')
    socket.on('data', onData).on('end', onEnd).on('close', onEnd)
    if (ping) {
      const payload = randomBytes(8)
      filter.await(payload, sayGoodbye)
      socket.write(controlFrame(OPCODE.ping, payload, true))
    } else {
      sayGoodbye()
    }
    onData(head)
    socket.resume()
  })
}
