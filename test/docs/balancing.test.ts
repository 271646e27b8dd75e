import { readFileSync } from 'node:fs'
import { transform } from 'esbuild'
import t from 'tap'
import { type Policy } from '../../lib/balancing/policy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { ROOT, runnable } from '../support/tree.ts'
import { policyContract } from '../contract/policy.ts'

const page = readFileSync(new URL('docs/balancing.md', ROOT), 'utf8')
const [, source = ''] = /```ts\n([\s\S]*?)```/.exec(page) ?? []
const { code } = await transform(source, { loader: 'ts' })
const library = runnable('lib/index.ts').href
const program = code.replace(/(['"])wslb\1/, JSON.stringify(library))
const { byEffort } = (await import(`data:text/javascript,${encodeURIComponent(program)}`)) as {
  byEffort: Policy
}

policyContract(() => byEffort)

t.test('the policy of the page looks at the request', async (t) => {
  const [light, heavy] = [
    plainBackend('light'),
    Object.assign(plainBackend('heavy', { weight: 10 }), { load: 50 }),
  ]
  const pickFor = (url: string) => {
    const draws = [0, 0.9]
    return byEffort.pick([light, heavy], plainRequest({ url }), () => draws.shift()!).id
  }
  t.equal(pickFor('/'), 'light')
  t.equal(pickFor('/export'), 'heavy')
})
