import { readFileSync } from 'node:fs'
import t from 'tap'
import { ERROR_KINDS } from '../../lib/core/errors.ts'
import { ROOT } from '../support/tree.ts'

const page = readFileSync(new URL('docs/errors.md', ROOT), 'utf8')
const rows = [...page.matchAll(/^\| `(WSLB_\w+)`(.*)\|$/gm)].map(([, code = '', rest = '']) => {
  const [, blame, status, closeCode, retryable, ...texts] = rest.split('|').map((cell) => cell.trim())
  return { code, blame, status, closeCode, retryable, texts }
})

t.test('the table of docs/errors.md has a row for every code, in order', async (t) => {
  t.strictSame(
    rows.map(({ code }) => code),
    Object.keys(ERROR_KINDS),
  )
})

t.test('each row says what the code means in the program', async (t) => {
  const expected = Object.entries(ERROR_KINDS).map(([code, kind]) => ({
    code,
    blame: kind.blame,
    status: 'status' in kind ? String(kind.status) : '–',
    closeCode: 'closeCode' in kind ? String(kind.closeCode) : '–',
    retryable: kind.retryable ? 'yes' : 'no',
  }))
  t.match(rows, expected)
})

t.test('each row says what it means and what to do', async (t) => {
  for (const { code, texts } of rows) t.match(texts, [/\w{2}/, /\w{2}/], code)
})
