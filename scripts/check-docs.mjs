// Type-checks every ```ts block of README.md and docs/ against the package, as a file of its own.
// A block that is no whole file says so: ```ts fragment
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { check, finish } from './counter.mjs'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

const pages = [
  'README.md',
  ...(existsSync('docs') ? readdirSync('docs').map((name) => join('docs', name)) : []),
]
const blocks = pages
  .filter((page) => page.endsWith('.md') && existsSync(page))
  .flatMap((page) => {
    const text = readFileSync(page, 'utf8')
    return [...text.matchAll(/^```ts[ \t]*\n([\s\S]*?)^```/gm)].map(({ 1: code, index }) => {
      const line = text.slice(0, index).split('\n').length
      return { name: `${page}:${line}`, file: `${basename(page, '.md')}-${line}.ts`, line, code }
    })
  })

// Inside the project, so that `wslb` is this package and its dev dependencies are found.
const folder = mkdtempSync('.docs-')
try {
  for (const { file, code } of blocks) writeFileSync(join(folder, file), `${code}\nexport {}\n`)
  const compilerOptions = { rootDir: '..', erasableSyntaxOnly: false, verbatimModuleSyntax: false }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include: ['*.ts'] }),
  )
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    encoding: 'utf8',
  })
  const errors = stdout.split('\n').filter((line) => line !== '')
  for (const { name, file } of blocks) {
    const own = errors.filter((line) => line.startsWith(`${folder}/${file}(`))
    check(name, own.length === 0, own.join('\n'))
  }
  const others = errors.filter((line) => !/^\s/.test(line) && !line.startsWith(`${folder}/`))
  check('the docs compile', others.length === 0, others.join('\n'))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
finish()
