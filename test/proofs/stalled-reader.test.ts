import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { rawBackend } from '../support/backends.ts'
import { rawClient, switching, upgradeHead } from '../support/clients.ts'
import { until } from '../support/until.ts'
import { type BalancerProcess } from './balancer-process.ts'
import { Child } from './child.ts'
import { LONG_PATIENCE, PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const MEBIBYTE = 1024 * 1024
const OFFERED = 256 * MEBIBYTE
/** What four kernel buffers hold on this way, with room to spare. */
const KERNEL = 32 * MEBIBYTE
const HELD = 4 * MEBIBYTE
/** Of what is resident: what Node's own memory moves by comes on top, and garbage while everything flows. */
const RESIDENT = 16 * MEBIBYTE
const RESIDENT_FLOWING = 80 * MEBIBYTE
/** Nothing has moved for so long: the sender is stalled. */
const STILL = 500

for (const [reader, writer, messageMode] of [
  ['client', 'backend', false],
  ['backend', 'client', false],
  ['client', 'backend', true],
] as const) {
  t.test(
    `a ${reader} that stops reading${messageMode ? ', behind a hook' : ''}: the ${writer} stalls, the balancer holds next to nothing`,
    { timeout: LONG_PATIENCE },
    async (t) => {
      const { child, client, upstream } = await tunnel(t, messageMode)
      const [from, to] = reader === 'client' ? [upstream, client] : [client, upstream]
      to.removeAllListeners('data').pause()
      const before = await child.ask('memory')
      const sender = new Sender(from, frame(writer === 'client'))
      await sender.stalled()
      const stalled = await child.ask('memory')
      t.ok(sender.sent < KERNEL, `stalled after ${mebibytes(sender.sent)} of ${mebibytes(OFFERED)}`)
      const resident = stalled.resident - before.resident
      t.ok(resident < RESIDENT, `${mebibytes(resident)} more are resident`)
      t.ok(stalled.held - before.held < HELD, `it holds ${mebibytes(stalled.held - before.held)} more`)

      const digest = createHash('sha1')
      let received = 0
      to.on('data', (chunk: Buffer) => {
        received += chunk.length
        digest.update(chunk)
      })
      to.resume()
      await until(() => received === sender.total, 'everything to arrive once it reads again', PATIENCE)
      t.equal(digest.digest('hex'), sender.digest, 'every byte, in order')
      const after = await child.ask('memory')
      const highest = after.highest - before.resident
      t.ok(
        highest < RESIDENT_FLOWING,
        `${mebibytes(highest)} more at the highest, while all of it went through`,
      )
    },
  )
}

/** A tunnel through a balancer in a process of its own, with its two ends. */
async function tunnel(t: Test, messageMode: boolean) {
  const child = new Child<BalancerProcess>(t, 'balancer-process.ts', ['--expose-gc'])
  const backend = await rawBackend(t)
  const { port } = await child.ask('start', {
    backends: [backend.url],
    health: false,
    messageMode,
  })
  const client = await rawClient(t, port)
  t.teardown(() => client.reset())
  client.send(upgradeHead())
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  upstream.socket.write(switching())
  await client.has('\r\n\r\n')
  return { child, client: client.socket, upstream: upstream.socket }
}

/** A binary frame of 64 KiB; a client's is masked, with a key that changes nothing. */
function frame(masked: boolean): Buffer {
  const payload = Buffer.from(Array.from({ length: 65_535 }, (_, i) => i % 251))
  const head = [0x82, masked ? 0xfe : 0x7e, 0xff, 0xff, ...(masked ? [0, 0, 0, 0] : [])]
  return Buffer.concat([Buffer.from(head), payload])
}

/** Sends one frame over and over, as fast as it is taken. */
class Sender {
  sent = 0
  readonly total: number
  readonly #socket: Socket
  readonly #frame: Buffer
  readonly #digest = createHash('sha1')

  constructor(socket: Socket, frame: Buffer) {
    this.#socket = socket
    this.#frame = frame
    this.total = Math.ceil(OFFERED / frame.length) * frame.length
    void this.#run()
  }

  get digest(): string {
    return this.#digest.copy().digest('hex')
  }

  /** Settles when nothing has been taken for a while. */
  async stalled(): Promise<void> {
    for (let before = -1; before !== this.sent;) {
      before = this.sent
      await new Promise((resolve) => setTimeout(resolve, STILL))
    }
  }

  async #run(): Promise<void> {
    while (this.sent < this.total) {
      const taken = this.#socket.write(this.#frame)
      this.sent += this.#frame.length
      this.#digest.update(this.#frame)
      if (!taken) await once(this.#socket, 'drain')
    }
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`
}
