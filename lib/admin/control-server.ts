import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Socket } from 'node:net'
import { type Clock, systemClock } from '../core/clock.ts'
import { messageOf, WslbError } from '../core/errors.ts'
import { problemsOf } from '../config/problems.ts'
import { ask } from './ask.ts'
import { type Verb, type Verbs } from './call.ts'
import { type ControlAddress } from './control-address.ts'
import { makePrivateDirectory } from './private-directory.ts'
import { BadCall, readInput } from './read-input.ts'
import { Refused } from './refused.ts'
import { Reply, SIGN_OF_LIFE } from './reply.ts'

/** More at once are dropped: nobody needs more, and each is a file descriptor that a client could have. */
const MOST_CLIENTS = 64
/** Milliseconds for a call to have come whole: it is a handful of words, and who is slow takes somebody's place. */
const INCOMPLETE = 1_000
/** Milliseconds that another process has to say whether it gives up the address: a start waits for it. */
const HANDOVER = 2_000
/** sun_path has 104 bytes on macOS and 108 on Linux, a zero at the end included; what is longer is cut off silently. */
const LONGEST_PATH = 103

export interface ControlServerOptions {
  /** @default the system's */
  readonly clock?: Clock
  /** Milliseconds after which a client that neither sends nor reads is given up. @default twice {@link SIGN_OF_LIFE} */
  readonly patience?: number
}

/**
 * Lets other processes of this user ask ours: `POST /<verb>` over HTTP/1.1 with a JSON object, answered as {@link Reply}
 * says. Neither it nor its clients keep the process alive.
 */
export class ControlServer {
  readonly #verbs: Verbs
  readonly #clock: Clock
  readonly #server: Server
  #released = false
  #closed = false

  constructor(verbs: Verbs, { clock = systemClock, patience = 2 * SIGN_OF_LIFE }: ControlServerOptions = {}) {
    this.#verbs = new Map<string, Verb>([...verbs, ['handover', () => this.#handOver()]])
    this.#clock = clock
    this.#server = createServer(
      {
        requestTimeout: INCOMPLETE,
        headersTimeout: INCOMPLETE,
        connectionsCheckingInterval: INCOMPLETE / 4,
      },
      (request, response) => void this.#serve(request, response),
    )
    this.#server.timeout = patience
    this.#server.maxConnections = MOST_CLIENTS
    this.#server.unref().on('connection', (socket: Socket) => socket.unref())
  }

  /**
   * Listens. Afterwards, `close()` removes the socket.
   * @throws WslbError `WSLB_CONTROL`: another process has the address, or it cannot be had safely
   */
  async open({ path, directory }: ControlAddress): Promise<void> {
    if (directory !== undefined) {
      if (Buffer.byteLength(path) > LONGEST_PATH)
        throw new WslbError('WSLB_CONTROL', `${path} is too long for a socket`)
      await makePrivateDirectory(directory)
    }
    try {
      await this.#listen(path).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error
        await makeRoom(path)
        await this.#listen(path)
      })
    } catch (error) {
      if (error instanceof WslbError) throw error
      throw new WslbError('WSLB_CONTROL', messageOf(error), { cause: error })
    }
    // Accepting may fail, e.g. for lack of file descriptors; the client notices.
    this.#server.on('error', () => {})
    if (this.#closed) this.close()
  }

  /** From now on the next process with the same config may have the address; until it comes, this one still answers. */
  release(): void {
    this.#released = true
  }

  /** Removes the socket and cuts who is connected. */
  close(): void {
    this.#closed = true
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #listen(path: string): Promise<void> {
    this.#server.listen(path)
    await once(this.#server, 'listening')
  }

  /** Asked by the next process with the same config. */
  async #handOver(): Promise<object> {
    if (!this.#released)
      throw new WslbError(
        'WSLB_CONTROL',
        `process ${process.pid} serves the same config and has its control channel`,
      )
    this.#server.close()
    return {}
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = new Reply(response, this.#clock)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      const verb = this.#verbOf(request)
      const input = await readInput(request)
      const progress = (progress: object) => reply.progress(progress)
      reply.end({ result: await verb({ input, signal: gone.signal, progress }) })
    } catch (error) {
      if (error instanceof BadCall) {
        response.setHeader('connection', 'close')
        reply.end({ problems: [{ message: error.message }] }, error.status)
      } else {
        const problems = error instanceof Refused ? error.problems : problemsOf(error, [])
        reply.end({ problems }, 422)
      }
    }
  }

  #verbOf({ method, url = '' }: IncomingMessage): Verb {
    const name = url.slice(1)
    const verb = this.#verbs.get(name)
    const known = [...this.#verbs.keys()].join(', ')
    if (!verb) throw new BadCall(404, `this process does not know ${JSON.stringify(name)}; it knows ${known}`)
    if (method !== 'POST') throw new BadCall(405, `${name} takes POST`)
    return verb
  }
}

/**
 * Removes the socket of a process that is dead, or takes over from one that is stopping. Of two that do so at the very
 * same moment, the later one has the address.
 */
async function makeRoom(path: string): Promise<void> {
  const handedOver = await ask(path, 'handover', { patience: HANDOVER }).catch((error: unknown) => {
    throw new WslbError('WSLB_CONTROL', messageOf(error), { cause: error })
  })
  if (!handedOver) await rm(path, { force: true })
}
