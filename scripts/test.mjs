// npm test [-- file or folder …]: builds what is stale, checks types, runs tap, and ends with "N passed, N failed".
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Parser } from 'tap-parser'
import { check, counted, finish } from './counter.mjs'

const require = createRequire(import.meta.url)
const tsc = require.resolve('typescript/bin/tsc')
const tap = join(dirname(require.resolve('tap/package.json')), 'dist/esm/run.mjs')

function run(...args) {
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status === 0
}

/** Test files named on the command line, folders opened; none means all. */
function testFiles(args) {
  return args.flatMap((path) =>
    existsSync(path) && statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true })
          .filter((name) => name.endsWith('.test.ts'))
          .map((name) => join(path, name))
      : [path],
  )
}

const count = counted()

/** Counts the assertions of one file; a test that contains tests is not one itself. */
function watchFile(parser) {
  const failures = []
  let assertions = 0
  const watch = (node) => {
    let closing = 0
    node.on('child', (child) => {
      closing++
      watch(child)
    })
    node.on('assert', (result) => {
      // After a child comes the line that sums it up; it counts only when it fails without a failing child.
      const summary = closing > 0
      if (summary) closing--
      if (summary && (result.ok || failures.length > 0)) return
      assertions++
      if (result.skip || result.todo) count.skipped++
      else count[result.ok ? 'passed' : 'failed']++
      if (!result.ok && !result.todo) failures.push(result)
    })
  }
  watch(parser)
  parser.on('complete', ({ time }) => {
    const name = parser.name.replaceAll('\\', '/')
    console.log(
      `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${assertions}${time ? `, ${Math.round(time)} ms` : ''})`,
    )
    for (const { fullname, diag } of failures) {
      const { diff, at, stack, ...rest } = diag ?? {}
      console.log(`\n  ✗ ${fullname}${at ? `\n    ${at.fileName}:${at.lineNumber}` : ''}`)
      const details = diff ?? (Object.keys(rest).length > 0 ? JSON.stringify(rest, undefined, 2) : '')
      console.log(`${details}\n${stack ?? ''}`.trim().replace(/^/gm, '    '), '\n')
    }
  })
}

async function runTap(files) {
  // After `npm ci` tap has to make its test class from the plugins that .taprc names.
  if (!run(tap, 'build')) return false
  const child = spawn(process.execPath, [tap, '--reporter=tap', ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const parser = new Parser()
  parser.on('child', watchFile)
  // What a test prints outside of TAP.
  parser.on('extra', (text) => process.stdout.write(text))
  const complete = new Promise((resolve) => parser.on('complete', resolve))
  child.stdout.pipe(parser)
  const [code, results] = await Promise.all([new Promise((resolve) => child.on('close', resolve)), complete])
  if (results.bailout) console.log(`Bail out! ${results.bailout}`)
  return code === 0 && results.ok
}

const files = testFiles(process.argv.slice(2))
const built = check('build', run('scripts/build.mjs', '--if-stale'))
check('types', run(tsc, '--noEmit'))
const before = count.failed
const fine = built && (await runTap(files))
const ran = count.passed + count.failed > 2
if (!fine && count.failed === before) check('tap', false)
else if (!ran) check('some test ran', false)
finish()
