import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { ROOT } from '../support/tree.ts'

const examples = new URL('examples/', ROOT)

t.test('the table of the examples names every one of them', async (t) => {
  const readme = readFileSync(new URL('README.md', examples), 'utf8')
  const files = readdirSync(examples).filter((name) => name.endsWith('.ts'))
  t.ok(files.length > 10)
  for (const file of files) t.ok(readme.includes(`(${file})`), file)
})
