import { type Test } from 'tap'
import { type Pushed } from '../../lib/relay/session/entry.ts'
import { type Session, type SessionEvents, type Transport } from '../../lib/relay/session/session.ts'
import { until } from './until.ts'

/** What a relay hears of a transport. */
export class Witness implements SessionEvents {
  readonly transport: Transport
  readonly sessions: Session[] = []
  readonly entries: (Pushed & { readonly channel: string })[] = []
  /** Messages; `well` when all is well again. */
  readonly troubles: string[] = []

  constructor(t: Test, transport: Transport) {
    this.transport = transport
    t.teardown(() => transport.close())
    transport.open(this)
  }

  begun(session: Session): void {
    this.sessions.push(session)
  }

  pushed(channel: string, { epoch, offset, pid, seq, body }: Pushed): void {
    this.entries.push({ channel, epoch, offset, pid, seq, body })
  }

  trouble(error: Error | undefined): void {
    this.troubles.push(error?.message ?? 'well')
  }

  /** The newest one, when there are so many. */
  async session(count = 1, limit = 10_000): Promise<Session> {
    await until(
      () => this.sessions.length >= count,
      `session ${count}; troubles: ${this.troubles.join('; ')}`,
      limit,
    )
    return this.sessions.at(-1)!
  }

  async suffers(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.troubles.at(-1) ?? ''), `${pattern} in ${this.troubles.join('; ')}`)
  }

  async heard(count: number): Promise<readonly Pushed[]> {
    await until(() => this.entries.length >= count, `${count} entries, not ${this.entries.length}`)
    return this.entries
  }
}
