import { DemoBackend } from './demo-backend.ts'
import { Room } from './room.ts'

/** One demo backend and the generations of the config that name it. */
interface Running {
  readonly backend: Promise<DemoBackend>
  readonly claims: Set<AbortSignal>
}

/** `signal` aborts at the swap, and only then does wslb close the sockets, at the pace of `drain`: by default within 60 s. */
const PATIENCE = 60_000

/** What outlives a reload. */
interface Demo {
  readonly room: Room
  readonly running: Map<string, Running>
}

// lb.config.ts and what it imports are bundled and loaded anew at each reload, so a variable of this module
// would start empty every time: what must live on is kept on globalThis.
const DEMO = Symbol.for('wslb.examples.demo')
const demo: Demo = ((globalThis as { [DEMO]?: Demo })[DEMO] ??= { room: new Room(), running: new Map() })

/**
 * Starts a small chat server for each name, or keeps the one that runs under that name, so that wslb sees the same
 * id and url and keeps the backend with all its sockets. A server retires when the last generation that named it is
 * gone: the new one claims it before the old one's signal aborts, and a rejected one gives its claims back.
 */
export async function demoBackends(
  names: readonly string[],
  signal: AbortSignal,
): Promise<{ id: string; url: string }[]> {
  signal.throwIfAborted()
  const backends = names.map((name) => claim(name, signal))
  return Promise.all(
    backends.map(async (backend) => ({ id: (await backend).name, url: (await backend).url })),
  )
}

function claim(name: string, signal: AbortSignal): Promise<DemoBackend> {
  let running = demo.running.get(name)
  if (!running) {
    running = { backend: DemoBackend.start(name, demo.room), claims: new Set() }
    demo.running.set(name, running)
  }
  if (!running.claims.has(signal)) {
    running.claims.add(signal)
    signal.addEventListener('abort', () => release(name, signal), { once: true })
  }
  return running.backend
}

function release(name: string, signal: AbortSignal): void {
  const running = demo.running.get(name)
  if (!running?.claims.delete(signal) || running.claims.size > 0) return
  demo.running.delete(name)
  running.backend.then(
    (backend) => backend.retire(PATIENCE),
    () => undefined, // it never started, and whoever claimed it was told
  )
}
