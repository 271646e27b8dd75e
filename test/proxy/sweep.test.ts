import { Duplex } from 'node:stream'
import t from 'tap'
import { Sweep } from '../../lib/proxy/sweep.ts'
import { Tunnel } from '../../lib/proxy/tunnel.ts'
import { Tunnels } from '../../lib/proxy/tunnels.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

/** A leg whose peer says nothing unless it is made to. */
class QuietLeg extends Duplex {
  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}

const PERIOD = 15_000
const times = { ping: 2 * PERIOD, idleTimeout: false, maxAge: false, closeTimeout: 5_000 } as const

/** One tunnel under a heartbeat. */
function beating(clock: ManualClock) {
  const tunnels = new Tunnels()
  const [client, upstream] = [new QuietLeg(), new QuietLeg()]
  const tunnel = new Tunnel({
    ...{
      id: tunnels.nextId(),
      request: plainRequest(),
      backend: plainBackend('a'),
      route: '*',
      handshake: 1,
    },
    ...{ client, upstream, clock, random: () => 0.5, times: () => times },
    onEnd: (ended) => tunnels.delete(ended),
  })
  tunnels.add(tunnel)
  tunnel.start({ fromClient: [], clientEnded: false, fromBackend: Buffer.alloc(0) })
  const sweep = new Sweep(clock, tunnels, (tunnel) => tunnel.beat())
  sweep.every = PERIOD
  sweep.start()
  return { tunnel, client, upstream, sweep }
}

const text = Buffer.from([0x81, 1, 97])
const maskedText = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 97])

t.test('a stall is held against nobody: what came meanwhile is read before the next beat', async (t) => {
  const clock = new ManualClock()
  const { tunnel, client, upstream, sweep } = beating(clock)
  // One more, and both legs would be given up.
  await clock.advance(5 * PERIOD)
  await clock.stall(100 * PERIOD)
  t.equal(tunnel.ending, false)
  client.push(maskedText)
  upstream.push(text)
  await clock.advance(3 * PERIOD)
  t.equal(tunnel.ending, false, 'they live')
  t.equal(tunnel.traffic.messagesIn + tunnel.traffic.messagesOut, 2)
  sweep.stop()
  tunnel.destroy('shutdown')
})

t.test('who says nothing after a stall either is given up; stalls upon stalls put it off', async (t) => {
  const clock = new ManualClock()
  const { tunnel, sweep } = beating(clock)
  await clock.advance(5 * PERIOD)
  for (let i = 0; i < 10; i++) await clock.stall(2 * PERIOD)
  t.equal(tunnel.ending, false)
  await clock.advance(PERIOD)
  t.equal(tunnel.ending, true)
  sweep.stop()
  await clock.advance(5_000)
  t.equal(clock.pending, 0)
})
