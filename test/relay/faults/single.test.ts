import t from 'tap'
import { withoutRedis } from '../../support/redis-server.ts'
import {
  cutOff,
  flushed,
  publisherKilled,
  restartedEmpty,
  restored,
  singleHangs,
  subscriberKilled,
  subscriberStopped,
} from './faults.ts'
import { judge, perform } from './perform.ts'

t.setTimeout(300_000)

for (const fault of [
  restartedEmpty,
  restored,
  flushed,
  singleHangs,
  cutOff,
  subscriberKilled,
  publisherKilled,
  subscriberStopped,
]) {
  t.test(fault.name, { skip: withoutRedis }, async (t) => judge(t, await perform(t, fault), fault))
}
