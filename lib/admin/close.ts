import { type Balancer } from '../balancer.ts'
import { type CloseReason } from '../proxy/tunnel-options.ts'
import { type Call } from './call.ts'
import { Refused } from './refused.ts'

/** Closes one open tunnel. @throws ConfigError; Refused when there is none of that id */
export function close(balancer: Balancer, { input: { id, code, reason } }: Call): object {
  // Checked by the balancer.
  const how = { code, reason } as CloseReason
  if (typeof id === 'number' && balancer.closeTunnel(id, how)) return {}
  throw new Refused([{ message: `no tunnel ${String(id)} is open, or it is being closed already` }])
}
