// Compiles lib/ and bin/ into dist/. `npm ci` runs it (prepare), so `npx wslb` works in a fresh clone.
import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
rmSync('dist', { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
// tsc writes no run bit, and npm links a repository's own bin without setting one.
chmodSync('dist/bin/wslb.js', 0o755)
