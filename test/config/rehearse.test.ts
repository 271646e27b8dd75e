import { join } from 'node:path'
import t from 'tap'
import { type Config, type ConfigContext } from '../../lib/config/config.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'
import { backends, watched } from '../support/watched-config.ts'

/** Configs report their contexts here. */
const contexts: ConfigContext[] = []
Object.assign(globalThis, { wslbRehearsals: contexts })
const reporting = (body: string) => `export default (context) => { wslbRehearsals.push(context); ${body} }`
t.beforeEach(() => void (contexts.length = 0))

const nothing = new AbortController().signal
const look = ({ backends }: Config) => Promise.resolve(backends)

t.test(
  'a rehearsal loads the config as a reload would, and is over when it has been looked at',
  async (t) => {
    const { source, news, write, heard } = await watched(t, {
      'lb.config.ts': reporting('return { backends: ["1"] }'),
      'candidate.ts': reporting('return { backends: ["2"] }'),
    })
    t.same(await source.rehearse(look, nothing), { done: ['1'] })
    const candidate = join(t.testdirName, 'candidate.ts')
    const during = await source.rehearse(async () => contexts.at(-1)!.signal.aborted, nothing, candidate)
    t.same(during, { done: false })
    t.same(
      contexts.map(({ signal, previous }) => [signal.aborted, previous?.backends]),
      [
        [false, undefined],
        [true, ['1']],
        [true, ['1']],
      ],
      'the config in service lives on, and is the previous one of each',
    )
    t.same(news, [], 'nothing was applied or rejected')
    write('candidate.ts', reporting('return { backends: ["3"] }'))
    write('lb.config.ts', backends('4'))
    t.equal(await heard(1), '["4"]', 'a candidate is not watched, the config still is')
  },
)

t.test('what is wrong is the outcome, with the files to find it in', async (t) => {
  const { dir, source, news } = await watched(t, {
    'lb.config.ts': backends('http://a'),
    'part.ts': 'export const part = { wieght: 1 }',
    'invalid.ts': `import { part } from './part.ts'\n${reporting('return { backends: [], ...part }')}`,
    'broken.ts': 'export default {\n  backends: [,\n',
  })
  const check = (config: Config) => Promise.resolve().then(() => resolveConfig(config))
  t.match(await source.rehearse(check, nothing, join(dir, 'invalid.ts')), {
    error: { code: 'WSLB_CONFIG_INVALID', problems: [{ path: 'wieght' }] },
    files: [join(dir, 'invalid.ts'), join(dir, 'part.ts')],
  })
  t.equal(contexts[0]!.signal.aborted, true)
  t.match(await source.rehearse(check, nothing, join(dir, 'broken.ts')), {
    error: { code: 'WSLB_CONFIG_LOAD', message: /broken\.ts:\d+:\d+: / },
  })
  t.match(await source.rehearse(check, nothing, join(dir, 'absent.ts')), {
    error: { code: 'WSLB_CONFIG_NOT_FOUND' },
  })
  t.same(news, [])
})

t.test('a rehearsal that never comes to an end can be given up', async (t) => {
  const { dir, source } = await watched(t, {
    'lb.config.ts': backends('http://a'),
    'endless.ts': reporting('wslbBegun(); return new Promise(() => {})'),
  })
  const giveUp = new AbortController()
  Object.assign(globalThis, { wslbBegun: () => giveUp.abort() })
  t.match(await source.rehearse(look, giveUp.signal, join(dir, 'endless.ts')), {
    error: { message: /endless\.ts:1:\d+: loading was given up/ },
  })
  t.equal(contexts[0]!.signal.aborted, true)
  t.match(await source.rehearse(look, giveUp.signal), { error: { message: /given up/ } }, 'nor is one begun')
})

t.test('a reload says what came of it', async (t) => {
  const { dir, source, write } = await watched(t, { 'lb.config.ts': backends('http://a') }, resolveConfig)
  t.match(await source.reload(), { done: undefined })
  write('lb.config.ts', 'export default { wieght: 1 }')
  t.match(await source.reload(), {
    error: { problems: [{ path: 'wieght' }, { path: 'backends' }] },
    files: [join(dir, 'lb.config.ts')],
  })
  source.close()
  t.match(await source.reload(), { error: { code: 'WSLB_CLOSED' } })
})
