import { once } from 'node:events'
import t from 'tap'
import { BalancerLog } from '../../lib/observe/balancer-log.ts'
import { hostileValues } from '../support/hostile-values.ts'

const silent = { on() {}, off() {} } as unknown as ConstructorParameters<typeof BalancerLog>[0]

t.test('whatever a listener throws is told in the log', async (t) => {
  const logged: unknown[] = []
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => void logged.push(fields) }
  const log = new BalancerLog(silent, logger)
  log.use(undefined)
  for (const value of Object.values(hostileValues())) log.listenerThrew(value, 'tunnel:open')
  const error = new Error('mine')
  log.listenerThrew(error, 'tunnel:close')
  t.equal(logged.length, Object.keys(hostileValues()).length + 1)
  t.doesNotThrow(() => JSON.stringify(logged))
  t.match(logged.at(-1), { event: 'tunnel:close', reason: 'mine', stack: error.stack })
})

t.test('without a log it is a warning', async (t) => {
  const log = new BalancerLog(silent, undefined)
  for (const [what, value] of Object.entries(hostileValues())) {
    const warned = once(process, 'warning')
    log.listenerThrew(value, 'tunnel:open')
    const [warning] = (await warned) as [Error]
    t.match(warning.message, /^a listener for "tunnel:open" threw: ./, what)
    t.doesNotThrow(() => String(warning), what)
  }
})
