import { systemClock } from '../../../lib/core/clock.ts'
import { Outbox } from '../../../lib/relay/delivery/outbox.ts'
import { type Session } from '../../../lib/relay/session/session.ts'
import { check, type Verdict } from './checker.ts'
import { CHANNEL } from './node.ts'
import { Recorder } from './record.ts'

const HISTORY = { length: 100, ttl: 60_000 }
const LIMITS = { replicas: 1, grace: 15_000, bytes: 1 << 20, maxBytes: 1 << 10, onFull: 'reject' } as const

/** A master that appends at once or never, and says how many replicas confirm when it is told to. */
function session(epoch: string, appends: boolean, confirmed: Promise<number>): Session {
  const never = new Promise<never>(() => {})
  const placed = [{ offset: 1, duplicate: false, receivers: 0 }]
  return {
    epoch,
    address: epoch,
    signal: new AbortController().signal,
    append: () => (appends ? Promise.resolve({ status: 'placed', epoch, placed } as const) : never),
    confirm: () => confirmed,
  } as Partial<Session> as Session
}

/**
 * The answer to WAIT comes when another master has taken over, which does not have the message: timed by hand, since no
 * network can be made to do it every time.
 */
export async function lateConfirmation(): Promise<Verdict> {
  const recorder = new Recorder()
  const outbox = new Outbox({
    pid: 'p',
    clock: systemClock,
    limits: LIMITS,
    open: () => true,
    short: () => {},
  })
  let confirm: (replicas: number) => void = () => {}
  outbox.begin(session('old', true, new Promise((resolve) => (confirm = resolve))))
  recorder.add({ kind: 'intent', publisher: 'a', channel: CHANNEL, id: 'a:1', n: 1 })
  const message = {
    channel: CHANNEL,
    history: HISTORY,
    body: Buffer.from('x'),
    id: undefined,
    ack: 'replicated',
  } as const
  outbox.publish(message).then(
    ({ epoch, offset, replicas }) => recorder.add({ kind: 'ack', id: 'a:1', epoch, offset, replicas }),
    () => {},
  )
  await turn()
  outbox.begin(session('new', false, Promise.resolve(0)))
  confirm(1)
  await turn()
  recorder.add({ kind: 'log', channel: CHANNEL, entries: [] })
  await outbox.close(0)
  return check(recorder.events, { graceMs: LIMITS.grace })
}

/** Everything that can happen by itself has happened. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
