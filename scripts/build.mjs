// Compiles lib/ and bin/ into dist/. `npm ci` runs it (prepare), so `npx wslb` works in a fresh clone.
// --if-stale: only when something has changed since; `npx` in a clone runs prepare once more.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const SOURCES = ['lib', 'bin', 'package.json', 'tsconfig.json', 'tsconfig.build.json']
const OUTPUT = 'dist/bin/wslb.js'

/** The newest change in a file or folder, in milliseconds; a file that is gone has changed its folder. */
function changed(path) {
  const entries = statSync(path).isDirectory() ? readdirSync(path, { recursive: true }) : []
  return Math.max(...['', ...entries].map((entry) => statSync(join(path, entry)).mtimeMs))
}

function isCurrent() {
  if (!existsSync(OUTPUT)) return false
  const built = statSync(OUTPUT).mtimeMs
  return SOURCES.every((source) => changed(source) <= built)
}

if (process.argv.includes('--if-stale') && isCurrent()) process.exit()

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
// Compiled beside dist and swapped in, so that what runs from dist meanwhile does not lose its files.
const fresh = `dist.${process.pid}`
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], {
  stdio: 'inherit',
})
if (status !== 0) {
  rmSync(fresh, { recursive: true, force: true })
  process.exit(status ?? 1)
}
// tsc writes no run bit, and npm links a repository's own bin without setting one.
chmodSync(`${fresh}/bin/wslb.js`, 0o755)
rmSync('dist', { recursive: true, force: true })
renameSync(fresh, 'dist')
