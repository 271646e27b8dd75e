import { type SessionEvents, type Transport } from '../session/session.ts'
import { dial, type Pair } from './dial.ts'
import { Keys } from './keys.ts'
import { placeOf } from './redis-access.ts'
import { RedisSession } from './redis-session.ts'
import { type RedisTransportOptions } from './redis-transport-options.ts'
import { troubleWith } from './redis-trouble.ts'
import { type SentinelTarget } from './resolve-target.ts'
import { SentinelAdvice } from './sentinel-advice.ts'
import { SentinelWatcher, type Term } from './sentinel-watcher.ts'
import { SessionLoop } from './session-loop.ts'

/** Sessions with whatever master the majority of the Sentinels names. */
export function sentinelTransport(target: SentinelTarget, options: RedisTransportOptions): Transport {
  const { clock, random, lease, log, prefix } = options
  const watcher = new SentinelWatcher({ target, lease, clock, random })
  const advice = log && new SentinelAdvice(log, target.name)
  const keys = new Keys(prefix, target.access.db)

  async function begin(events: SessionEvents, signal: AbortSignal): Promise<RedisSession> {
    watcher.start()
    const term = await watcher.usable(signal)
    const { view } = term
    const pair = await reach(term, signal)
    const session = new RedisSession(pair, {
      term: view.term,
      fenced: watcher.isFenced(view),
      address: placeOf(view.address),
      keys,
      clock,
      events,
      leaseLeft: () => watcher.leaseLeft(view),
    })
    const replaced = () => session.end(`the Sentinels name another master than ${session.address}`)
    term.signal.addEventListener('abort', replaced, { once: true, signal: session.signal })
    // A logger of the application's own may throw.
    advice?.give(watcher, pair).catch(() => {})
    return session
  }

  /** Given up when the term is over meanwhile. */
  async function reach({ view, signal: over }: Term, signal: AbortSignal): Promise<Pair> {
    const attempt = new AbortController()
    const giveUp = () => attempt.abort(signal.aborted ? signal.reason : over.reason)
    for (const either of [signal, over]) either.addEventListener('abort', giveUp)
    try {
      const pair = await dial(target.access, view.address, { clock, signal: attempt.signal })
      if (!attempt.signal.aborted) return pair
      pair.data.destroy()
      pair.control.destroy()
      throw attempt.signal.reason
    } catch (error) {
      throw troubleWith(placeOf(view.address), error)
    } finally {
      for (const either of [signal, over]) either.removeEventListener('abort', giveUp)
    }
  }

  return new SessionLoop({
    kind: 'sentinel',
    clock,
    random,
    begin,
    pause: (ms, signal) => watcher.pause(ms, signal),
    closed: () => watcher.close(),
  })
}
