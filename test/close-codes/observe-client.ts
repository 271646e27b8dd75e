import { type Socket } from 'node:net'
import { type Balancer } from '../../lib/balancer.ts'
import { httpBackend } from '../support/backends.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { until } from '../support/until.ts'
import { type ClientKind, type Watcher } from './client.ts'
import { type Ending } from './endings.ts'

/** The head of a frame of 64 KiB, and nothing of what it announces. */
const HALF_A_FRAME = Buffer.from([0x82, 126, 0xff, 0xff])

/** A balancer between a client and a server that speaks its protocol. */
export interface Stage {
  readonly balancer: Balancer
  readonly url: string
  /** Ends what is open, and when that has been seen puts everything back as it was. */
  readonly end: (ending: Ending, seen: () => Promise<unknown>) => Promise<void>
}

export async function startStage(t: Scope, serve: ClientKind['serve']): Promise<Stage> {
  const { server, url: backendUrl } = await httpBackend(t, (_request, response) => response.end('ok'))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  serve(t, server)
  // Two by name, so that there is another one when one of them is drained.
  const backends = ['first', 'second'].map((id) => ({ id, url: backendUrl }))
  let refuse = false
  const onUpgrade = () => {
    const answer = refuse ? { status: 503, body: 'not now' } : undefined
    refuse = false
    return answer
  }
  const { balancer, url } = await startBalancer(t, { backends, hooks: { onUpgrade } })
  return {
    balancer,
    url,
    async end({ act }, seen) {
      const [tunnel] = balancer.snapshot().tunnels
      act({
        balancer,
        tunnel: tunnel!,
        crash: () => sockets.forEach((socket) => socket.destroy()),
        breakOff: () => sockets.forEach((socket) => socket.end(HALF_A_FRAME)),
        refuseOne: () => (refuse = true),
      })
      await seen()
      refuse = false
      balancer.restore('*')
    },
  }
}

class Seen implements Watcher {
  connections = 0
  over = false
  readonly connected = (): void => void this.connections++
  readonly gaveUp = (): void => void (this.over = true)
}

/** Lets a client meet one ending after the other. @returns whether it came back after each, by column */
export async function observeClient(
  t: Scope,
  kind: ClientKind,
  endings: readonly Ending[],
): Promise<Record<string, string>> {
  const { balancer, url, end } = await startStage(t, kind.serve)
  const found: Record<string, string> = {}
  const lost: { seen: Seen; stop: () => unknown }[] = []
  for (const ending of endings) {
    const seen = new Seen()
    const stop = kind.open(t, url, seen)
    t.teardown(stop)
    await until(() => seen.connections > 0, `${kind.name} to connect`)
    await end(ending, () =>
      until(
        () => seen.connections > 1 || seen.over,
        `${kind.name} to come back or give up: ${ending.column}`,
      ),
    )
    found[ending.column] = seen.over ? 'no' : 'yes'
    if (seen.over) lost.push({ seen, stop })
    else await stop()
    await until(() => balancer.snapshot().tunnels.length === 0, `${kind.name} to stop`)
  }
  if (lost.some(({ seen }) => seen.connections > 1)) throw new Error(`${kind.name} came back after all`)
  return found
}
