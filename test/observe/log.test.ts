import t from 'tap'
import { createLogger } from '../../lib/observe/log.ts'
import { Sink } from './sink.ts'

const ESCAPE = '\u001b['

function terminal(colors: boolean) {
  return Object.assign(new Sink(), { isTTY: true, hasColors: () => colors })
}

t.test(
  'anything but a terminal gets JSON lines with a readable level and time, and no process noise',
  async (t) => {
    const stream = new Sink()
    createLogger('info', { stream }).info({ event: 'x' }, 'hello')
    const [line] = stream.lines
    t.same(Object.keys(line!).sort(), ['event', 'level', 'msg', 'time'])
    t.equal(line!.level, 'info')
    t.match(line!.time, /^\d{4}-\d\d-\d\dT/)
  },
)

t.test(
  'a terminal gets one line for people, at once, without the fields that the message repeats',
  async (t) => {
    const stream = terminal(false)
    createLogger('info', { stream }).info({ event: 'request:done', status: 200 }, 'GET / 200')
    t.match(stream.text, /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: GET \/ 200\n$/)
  },
)

t.test('what the message does not say is shown below it: context and stacks', async (t) => {
  const stream = terminal(false)
  createLogger('info', { stream }).warn(
    { context: { user: 'ada' }, stack: 'Error: x\n    at y' },
    'GET / 500',
  )
  t.match(stream.text, /user": "ada"/)
  t.match(stream.text, /at y/)
})

t.test('colours only where the terminal wants them', async (t) => {
  const plain = terminal(false)
  createLogger('info', { stream: plain }).info({}, 'x')
  t.notOk(plain.text.includes(ESCAPE))
  const colourful = terminal(true)
  createLogger('info', { stream: colourful }).info({}, 'x')
  t.ok(colourful.text.includes(ESCAPE))
})

t.test('json asks for JSON lines on a terminal too', async (t) => {
  const stream = terminal(true)
  createLogger('info', { stream, json: true }).info({}, 'x')
  t.equal(stream.lines[0]!.msg, 'x')
})

t.test('lines below the level are not written', async (t) => {
  const stream = new Sink()
  const logger = createLogger('error', { stream })
  logger.warn({}, 'x')
  t.equal(stream.text, '')
  t.notOk(logger.isLevelEnabled('warn'))
})
