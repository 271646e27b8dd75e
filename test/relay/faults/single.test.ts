import t from 'tap'
import { withoutRedis } from '../../support/redis-server.ts'
import {
  cutOff,
  flushed,
  publisherKilled,
  restartedEmpty,
  singleHangs,
  subscriberKilled,
  subscriberStopped,
} from './faults.ts'
import { judge, perform } from './perform.ts'

for (const fault of [
  restartedEmpty,
  flushed,
  singleHangs,
  cutOff,
  subscriberKilled,
  publisherKilled,
  subscriberStopped,
]) {
  t.test(fault.name, { skip: withoutRedis }, async (t) => judge(t, await perform(t, fault), fault))
}
