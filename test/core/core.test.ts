import t from 'tap'
import { MAX_DURATION, durationArgument, parseDuration } from '../../lib/core/duration.ts'
import {
  ERROR_KINDS,
  WslbError,
  isWslbError,
  messageOf,
  stackOf,
  toWslbError,
} from '../../lib/core/errors.ts'
import { Events } from '../../lib/core/events.ts'
import { hostileValues } from '../support/hostile-values.ts'

t.test('durations are milliseconds or a number with a unit', async (t) => {
  const good: [unknown, number][] = [
    [0, 0],
    [1.5, 1.5],
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    [MAX_DURATION, MAX_DURATION],
  ]
  for (const [given, ms] of good) t.equal(parseDuration(given), ms, String(given))
  for (const bad of [-1, NaN, Infinity, MAX_DURATION + 1, '10', '10 s', '-1s', '1d', '', null, {}]) {
    t.equal(parseDuration(bad), undefined, JSON.stringify(bad))
  }
  t.throws(() => durationArgument('drain', 'soon'), { code: 'WSLB_CONFIG_INVALID', message: /^drain: soon/ })
})

t.test('an error takes what its code says, unless told otherwise', async (t) => {
  for (const [code, kind] of Object.entries(ERROR_KINDS)) {
    t.match(new WslbError(code as keyof typeof ERROR_KINDS, 'x'), {
      code,
      ...kind,
      message: 'x',
      name: 'WslbError',
    })
  }
  t.match(new WslbError('WSLB_REFUSED', 'x', { status: 401, retryable: true }), {
    status: 401,
    retryable: true,
  })
  const cause = new Error('why')
  t.match(toWslbError(cause), { code: 'WSLB_INTERNAL', message: 'why', cause })
  t.equal(toWslbError(toWslbError('odd')).message, 'odd')
})

t.test('whatever is thrown can be told', async (t) => {
  for (const [what, value] of Object.entries(hostileValues())) {
    t.type(messageOf(value), 'string', what)
    t.match(toWslbError(value), { code: 'WSLB_INTERNAL', message: /./ }, what)
    t.doesNotThrow(() => stackOf(value), what)
    t.equal(isWslbError(value), false, what)
  }
  t.equal(messageOf(Symbol('odd')), 'Symbol(odd)')
  const error = new TypeError('boom')
  t.equal(stackOf(error), error.stack)
})

t.test('a listener that throws breaks neither the others nor who emits', async (t) => {
  const thrown: unknown[] = []
  const events = new Events((error, name) => thrown.push(name, error))
  const heard: string[] = []
  const who = { backend: 'a', pool: 'default' }
  events.on('backend:added', () => {
    throw new Error('mine')
  })
  events.on('backend:added', ({ backend }) => heard.push(backend))
  events.once('backend:added', () => heard.push('once'))
  events.emit('backend:added', who)
  events.emit('backend:added', who)
  t.same(heard, ['a', 'once', 'a'])
  t.match(thrown, ['backend:added', { message: 'mine' }, 'backend:added', { message: 'mine' }])
  t.notOk(events.wants('backend:down'))
})
