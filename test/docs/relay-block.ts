import { readFileSync } from 'node:fs'
import { transformSync } from 'esbuild'
import { ROOT } from '../support/tree.ts'

const AsyncFunction = (async () => {}).constructor as new (
  ...parts: string[]
) => <T>(...values: unknown[]) => Promise<T>
const page = readFileSync(new URL('docs/relay.md', ROOT), 'utf8')

/**
 * A block of the page, with what it imports and what else stands around it given to it.
 * @param mark a text that stands in this block and in no other
 * @returns what `result` names
 */
export async function relayBlock<T>(
  mark: string,
  result: string,
  around: Record<string, unknown>,
): Promise<T> {
  const blocks = [...page.matchAll(/^```(?:ts|js)(?: fragment)?\n([^]*?)^```/gm)].map(([, code]) => code!)
  const found = blocks.filter((code) => code.includes(mark))
  if (found.length !== 1) throw new Error(`${found.length} blocks have ${JSON.stringify(mark)}`)
  const code = found[0]!.replace(/^import .*$/gm, '').replace(/^export (default )?/gm, (_, whole) => (whole ? 'const config = ' : '')) // prettier-ignore
  const { code: script } = transformSync(code, { loader: 'ts', target: 'es2022' })
  const names = Object.keys(around)
  const run = new AsyncFunction(...names, `${script}\nreturn ${result}`)
  return run(...names.map((name) => around[name]))
}
