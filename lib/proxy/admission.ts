import { WslbError, backendClosed, balancerClosed } from '../core/errors.ts'
import { type Lease } from '../pool/lease.ts'
import { type ProxyContext } from './context.ts'
import { type PendingUpgrade } from './pending-upgrade.ts'

/** How upgrades are treated for which there is no room now. */
export interface Admission {
  /** Milliseconds an upgrade waits for tokens at most, in all attempts. */
  readonly maxWait: number
  /** What a browser gets instead of a 503: its JavaScript sees a close code, but no status. */
  readonly browsers: false | 'close-1013'
}

/**
 * Until the backend takes the handshake. Nothing has been dialled yet: a client that leaves gives its token back, and
 * with a backend that leaves service the upgrade goes elsewhere. Whoever waits is counted by the backend.
 * @throws WslbError `WSLB_CLIENT_GONE`, `WSLB_CLOSED`
 */
export async function waitForToken(
  context: ProxyContext,
  upgrade: PendingUpgrade,
  lease: Lease,
): Promise<void> {
  const { clock, waits } = context
  const { client } = upgrade
  const { backend, tokenAt } = lease
  const since = clock.now()
  const wait = tokenAt - since
  if (wait <= 0) return
  let due = false
  await new Promise<void>((resolve) => {
    const end = () => {
      timer.cancel()
      leaving.cancel()
      waits.delete(backend, end)
      resolve()
    }
    const timer = clock.schedule(wait, () => {
      due = true
      end()
    })
    const leaving = client.whenLeft(end)
    waits.add(backend, end)
    if (client.hasLeft) end()
  })
  upgrade.waited += clock.now() - since
  if (!due) backend.handshakes.giveBack(tokenAt)
  if (client.hasLeft) throw new WslbError('WSLB_CLIENT_GONE', 'the client left while it waited for a token')
  if (context.state !== 'open') throw balancerClosed()
  // It may be back in service already; what was promised is void all the same.
  if (!due || backend.adminState !== 'active') throw backendClosed(backend, true)
}
