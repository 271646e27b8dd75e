import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { ROOT } from '../support/tree.ts'

const examples = new URL('examples/', ROOT)

t.test('the table of the examples names every one of them', async (t) => {
  const readme = readFileSync(new URL('README.md', examples), 'utf8')
  const files = readdirSync(examples).filter((name) => name.endsWith('.ts'))
  t.ok(files.length > 10)
  for (const file of files) t.ok(readme.includes(`(${file})`), file)
})

t.test('a folder with a start.ts is in the table, has a page with its command, and a test', async (t) => {
  const readme = readFileSync(new URL('README.md', examples), 'utf8')
  const folders = readdirSync(examples).filter((name) => existsSync(new URL(`${name}/start.ts`, examples)))
  t.ok(folders.length > 0)
  for (const folder of folders) {
    t.ok(readme.includes(`(${folder}/)`), folder)
    const page = readFileSync(new URL(`${folder}/README.md`, examples), 'utf8')
    t.ok(page.includes(`npx tsx examples/${folder}/start.ts`), `${folder}: the command`)
    t.ok(existsSync(new URL(`test/examples/${folder}.test.ts`, ROOT)), `${folder}: the test`)
  }
})
