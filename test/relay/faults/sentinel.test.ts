import t from 'tap'
import { withoutNetwork } from '../../support/network.ts'
import { withoutRedis } from '../../support/redis-server.ts'
import { hanging, killed, lagging, staleSentinel, wiped } from './faults.ts'
import { judge, perform } from './perform.ts'

// The short set; `npm run test:faults` plays all of them, and random ones.

t.setTimeout(300_000)

for (const fault of [killed, hanging, wiped, staleSentinel, lagging]) {
  const skip = withoutRedis || (fault.stage.network === true && withoutNetwork)
  t.test(fault.name, { skip }, async (t) => judge(t, await perform(t, fault), fault))
}
