import { type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Backend } from '../../lib/core/backend.ts'
import { type Clock, systemClock } from '../../lib/core/clock.ts'
import { type Probe } from '../../lib/health/probe.ts'
import { dial } from '../../lib/upstream/dial.ts'
import { rawBackend, deadUrl, type TestBackend } from '../support/backends.ts'
import { plainBackend } from '../support/plain.ts'
import { until } from '../support/until.ts'

/** Asks a real server, as the health loop does. */
export function ask(
  probe: Probe,
  url: string,
  {
    signal = new AbortController().signal,
    clock = systemClock,
  }: { signal?: AbortSignal; clock?: Clock } = {},
): Promise<void> {
  const backend = new Backend('asked', 'default', new URL(url), plainBackend('asked').settings)
  const options = { clock: systemClock, timeout: 5_000, signal }
  return probe(backend, { signal, clock, dial: () => dial(backend, options), host: backend.url.host })
}

export interface ProbeSubject {
  readonly make: () => Probe
  /** Starts a server that is well. */
  readonly well: (t: Test) => Promise<TestBackend>
  /** It looks at nothing but whether a connection comes about. @default false */
  readonly connectsOnly?: boolean
}

/** What every probe promises. */
export function probeContract({ make, well, connectsOnly = false }: ProbeSubject): void {
  t.test('it settles when the backend is well, time after time, and leaves no connection', async (t) => {
    const backend = await well(t)
    const probe = make()
    for (let turn = 1; turn <= 3; turn++) {
      await ask(probe, backend.url)
      await until(() => backend.total === turn && backend.open === 0, 'the connection to be gone')
    }
  })

  t.test('refused: the reason names the address', async (t) => {
    const url = await deadUrl()
    await t.rejects(ask(make(), url), { message: `connect ECONNREFUSED ${new URL(url).host}` })
  })

  t.test('it honours the signal while it connects', async (t) => {
    const limit = new AbortController()
    limit.abort(new Error('too late'))
    const backend = await well(t)
    await t.rejects(ask(make(), backend.url, { signal: limit.signal }))
    await until(() => backend.open === 0, 'no connection')
  })

  t.test('any number at a time leave nothing behind', async (t) => {
    const backend = await well(t)
    const probe = make()
    await Promise.all(Array.from({ length: 20 }, () => ask(probe, backend.url)))
    await until(() => backend.open === 0, 'the connections to be gone')
  })

  if (connectsOnly) return

  /** What a backend does that accepts the connection and no more, and what is said of it. */
  const fates: Record<string, { readonly fate: (socket: Socket) => void; readonly reason: RegExp }> = {
    reset: { fate: (socket) => socket.resetAndDestroy(), reason: /reset the connection before it answered/ },
    closed: { fate: (socket) => socket.end(), reason: /closed the connection before it answered/ },
    garbage: {
      fate: (socket) => void socket.write('SSH-2.0-OpenSSH_9.6\r\n'),
      reason: /did not answer in HTTP: /,
    },
    cut: {
      fate: (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Le'),
      reason: /closed the connection before it answered|did not answer in HTTP/,
    },
    'a wrong status': {
      fate: (socket) => void socket.end('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n'),
      reason: /answered 503/,
    },
  }
  for (const [what, { fate, reason }] of Object.entries(fates)) {
    t.test(`${what}: it rejects with words that say so`, async (t) => {
      const backend = await rawBackend(t, ({ socket }) => socket.once('data', () => fate(socket)))
      await t.rejects(ask(make(), backend.url), { message: reason })
      await until(() => backend.open === 0, 'the connection to be gone')
    })
  }

  t.test('hung: the signal ends it, with its reason and without a connection left', async (t) => {
    const backend = await rawBackend(t)
    const limit = new AbortController()
    const asked = ask(make(), backend.url, { signal: limit.signal })
    const connection = await backend.connection(0)
    await connection.has('\r\n\r\n')
    limit.abort(new Error('no answer within 5000 ms'))
    await t.rejects(asked, { message: 'no answer within 5000 ms' })
    await until(() => backend.open === 0, 'the connection to be gone')
  })
}
