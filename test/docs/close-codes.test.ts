import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import t from 'tap'
import { ERROR_KINDS } from '../../lib/core/errors.ts'
import { silent } from '../close-codes/client.ts'
import { clients } from '../close-codes/clients.ts'
import { endings } from '../close-codes/endings.ts'
import { observeClient, startStage } from '../close-codes/observe-client.ts'
import { wsClient } from '../support/clients.ts'
import { ROOT } from '../support/tree.ts'

const lines = readFileSync(new URL('docs/close-codes.md', ROOT), 'utf8').split('\n')

/** The table whose second column has this head; without the marks of Markdown. */
function table(second: string) {
  const cells = (line = '') =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replace(/[`*]/g, '').trim())
  const start = lines.findIndex((line) => cells(line)[1] === second)
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'))
  const heads = cells(lines[start])
  const rows = lines.slice(start + 2, end).map((line) => {
    const entries = cells(line).map((cell, i) => [heads[i]!, cell] as const)
    return Object.fromEntries(entries)
  })
  return { heads, rows }
}

const { heads, rows } = table('1012')

t.test('whatever wslb says in a Close frame by itself is in the first table', async (t) => {
  const { rows: sent } = table('reason')
  const known = sent.map(({ code, reason }) => `${code} ${reason}`).join('\n')
  const folder = new URL('lib/proxy/', ROOT)
  const source = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'))
  const closes = source.flatMap((text) => [
    ...text.matchAll(/(?:code: |closeFrame\()(\d{4}|code\(\)), (?:reason: )?'([^']+)'/g),
  ])
  t.ok(closes.length >= 6, 'the search finds something')
  for (const [, code = '', reason] of closes)
    t.match(known, new RegExp(`^${code.replace('code()', '1012')} ${reason}$`, 'm'))
  const codes = Object.values(ERROR_KINDS).flatMap((kind) => ('closeCode' in kind ? [kind.closeCode] : []))
  for (const code of codes) t.match(known, new RegExp(`^[\\d, ]*${code}`, 'm'))
})

t.test('the table has a row for every client and a column for every ending', async (t) => {
  t.strictSame(
    rows.map(({ client }) => client),
    clients.map(({ name }) => name),
  )
  t.strictSame(heads, ['client', ...endings.map(({ column }) => column)])
})

t.test('the endings are what their columns say', async (t) => {
  const { url, end } = await startStage(t, silent)
  for (const ending of endings) {
    const client = await wsClient(t, url)
    const closed = once(client, 'close') as Promise<[number]>
    await end(ending, async () => t.equal((await closed)[0], ending.code, ending.column))
  }
})

for (const kind of clients) {
  t.test(`${kind.name} does what its row says`, async (t) => {
    // Some tell people there what they are about to do.
    t.capture(console, 'info')
    const found = await observeClient(t, kind, endings)
    t.same(
      { client: kind.name, ...found },
      rows.find(({ client }) => client === kind.name),
    )
  })
}

t.test('what the page says beside it was read in the versions that run here', async (t) => {
  const { rows } = table('version')
  const packages = [...new Set(clients.map(({ from }) => from))]
  const versions = packages.map((name) => {
    const file = new URL(`node_modules/${name}/package.json`, ROOT)
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
    return { client: name, version }
  })
  t.match(rows, versions)
})
