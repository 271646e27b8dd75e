// npm test [-- file or folder …]: builds what is stale, checks types, runs the tests, and ends with "N passed, N failed".
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { parse } from 'yaml'
import { check, counted, finish } from './counter.mjs'
import { runFile } from './test-file.mjs'

// Node 20 pays three seconds a test file for the loaders of tap and tsx, and a third of one for plain JavaScript:
// the compiler that checks the types also writes what runs. `npx tap` runs single files from source.
const COMPILED = 'dist.test'

const require = createRequire(import.meta.url)
const tsc = require.resolve('typescript/bin/tsc')
const tap = join(dirname(require.resolve('tap/package.json')), 'dist/esm/run.mjs')
const { jobs, timeout, serial } = parse(readFileSync('.taprc', 'utf8'))

function run(...args) {
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status === 0
}

/** Test files named on the command line, folders opened; none means all. */
function testFiles(args) {
  return (args.length > 0 ? args : ['test']).flatMap((path) =>
    statSync(path, { throwIfNoEntry: false })?.isDirectory()
      ? readdirSync(path, { recursive: true })
          .filter((name) => name.endsWith('.test.ts'))
          .map((name) => join(path, name))
      : [normalize(path)],
  )
}

async function runAll(files, width) {
  const queue = files.values()
  const worker = async () => {
    for (const file of queue) await runFile(file, { folder: COMPILED, timeout })
  }
  await Promise.all(Array.from({ length: width }, worker))
}

const files = testFiles(process.argv.slice(2)).sort()
const alone = files.filter((file) => serial.some((folder) => file.startsWith(normalize(`${folder}/`))))
const built = check('build', run('scripts/build.mjs', '--if-stale'))
check('types', run(tsc, '--noEmit', 'false', '--sourceMap', '--outDir', COMPILED))
// What examples read beside their code.
cpSync('examples', join(COMPILED, 'examples'), { recursive: true, filter: (path) => !path.endsWith('.ts') })
// After `npm ci` tap has to make its test class from the plugins that .taprc names.
if (built && check('tap', run(tap, 'build'))) {
  await runAll(
    files.filter((file) => !alone.includes(file)),
    jobs,
  )
  await runAll(alone, 1)
  if (counted().passed + counted().failed === 3) check('some test ran', false)
}
finish()
