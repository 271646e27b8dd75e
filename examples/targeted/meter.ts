import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between a node and Redis, and counts what Redis sends to it. */
export class Meter {
  /** Messages with the mark in them. */
  messages = 0
  bytes = 0
  readonly #mark: Buffer
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  private constructor(port: number, mark: string) {
    this.#mark = Buffer.from(mark)
    this.#server = createServer((node) => {
      const redis = connect(port, '127.0.0.1')
      let tail: Buffer = Buffer.alloc(0)
      redis.on('data', (chunk) => (tail = this.#count(tail, chunk)))
      redis.pipe(node).pipe(redis)
      for (const socket of [node, redis]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          this.#sockets.delete(socket)
          for (const other of [node, redis]) other.destroy()
        })
      }
    })
  }

  /** @param port of the Redis. @param mark what every message has in it once */
  static async start(port: number, mark: string): Promise<Meter> {
    const meter = new Meter(port, mark)
    meter.#server.listen(0, '127.0.0.1')
    await once(meter.#server, 'listening')
    return meter
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  reset(): void {
    this.messages = this.bytes = 0
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** @returns the end of it, which may be the beginning of a mark */
  #count(tail: Buffer, chunk: Buffer): Buffer {
    this.bytes += chunk.length
    const bytes = Buffer.concat([tail, chunk])
    let end = 0
    for (let at = bytes.indexOf(this.#mark); at >= 0; at = bytes.indexOf(this.#mark, end)) {
      this.messages++
      end = at + this.#mark.length
    }
    return bytes.subarray(Math.max(end, bytes.length - this.#mark.length + 1))
  }
}
