// Compiles lib/ and bin/ into dist/. `npm ci` runs it (prepare), so `npx wslb` works in a fresh clone.
import { spawnSync } from 'node:child_process'
import { chmodSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'

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
