import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import { Doc } from 'yjs'
import { hashBy, pathSegment } from '../../lib/index.ts'
import { Child } from '../proofs/child.ts'
import { LONG_PATIENCE } from '../proofs/patience.ts'
import { type Scope } from '../support/balancer.ts'
import { until } from '../support/until.ts'
import { tally, trio } from './harness.ts'
import { type YjsProcess } from './yjs-process.ts'

// Nothing is shared between the servers: who edits a document on another one would be alone with it.

t.setTimeout(LONG_PATIENCE)

const DOCUMENTS = 16
const CLIENTS_EACH = 3

async function yjsServer(t: Scope, id: string) {
  const child = new Child<YjsProcess>(t, '../protocols/yjs-process.ts')
  return { id, child, url: await child.ask('start') }
}

interface Editor {
  readonly document: string
  readonly doc: Doc
  readonly provider: WebsocketProvider
}

/** A client at 127.0.0.2, 127.0.0.3 …, none of them on the address of another client of its document. */
function openEditor(t: Test, url: string, index: number): Editor {
  const localAddress = `127.0.0.${2 + index}`
  class FromElsewhere extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, { localAddress })
    }
  }
  const document = `doc-${index % DOCUMENTS}`
  const doc = new Doc()
  const provider = new WebsocketProvider(url.replace('http', 'ws'), document, doc, {
    WebSocketPolyfill: FromElsewhere as never,
    disableBc: true,
    maxBackoffTime: 50,
  })
  t.teardown(() => {
    provider.destroy()
    doc.destroy()
  })
  return { document, doc, provider }
}

const textOf = ({ doc }: Editor) => doc.getText('text').toJSON()

/** Each client says something in the same place; settles when all clients of a document have the same, with all of it. */
async function edit(editors: readonly Editor[], word: string): Promise<void> {
  for (const [index, { doc }] of editors.entries()) doc.getText('text').insert(0, `${word}-${index} `)
  const converged = editors.map((editor, index) => {
    const others = editors.filter(({ document }) => document === editor.document)
    return () =>
      textOf(editor).includes(`${word}-${index} `) &&
      others.every((other) => textOf(other) === textOf(editor))
  })
  await until(() => converged.every((done) => done()), `${word} to be everywhere`, 20_000)
}

type Stage = Awaited<ReturnType<typeof trio<Awaited<ReturnType<typeof yjsServer>>>>>

/** Which servers have clients for a document, and how many. */
async function whereabouts(
  servers: Stage['servers'],
): Promise<Map<string, readonly (readonly [string, number])[]>> {
  const found = new Map<string, (readonly [string, number])[]>()
  for (const { id, child } of servers) {
    for (const [name, clients] of await child.ask('documents'))
      found.set(name, [...(found.get(name) ?? []), [id, clients]])
  }
  return found
}

for (const [name, sticky] of [
  ["sticky: 'yjs'", 'yjs'],
  ['hashBy(pathSegment(1))', hashBy(pathSegment(1))],
] as const) {
  t.test(
    `Yjs with ${name}: the clients of a document meet, and move together when their server is killed`,
    async (t) => {
      const { url, servers, refused } = await trio(t, yjsServer, () => ({ sticky }))
      const editors = Array.from({ length: DOCUMENTS * CLIENTS_EACH }, (_, index) =>
        openEditor(t, url, index),
      )
      await edit(editors, 'hello')
      const before = await whereabouts(servers)
      t.equal(before.size, DOCUMENTS)
      t.ok(
        [...before.values()].every((places) => places.length === 1 && places[0]![1] === CLIENTS_EACH),
        'each is on one server, with all of its clients',
      )
      const spread = tally([...before.values()].map(([place]) => place![0]))
      t.comment(spread)
      t.strictSame(Object.keys(spread).sort(), ['blue', 'green', 'red'])
      t.strictSame(refused, [])

      await servers[0]!.child.kill()
      await edit(editors, 'again')
      const after = await whereabouts(servers.slice(1))
      t.equal(after.size, DOCUMENTS)
      t.ok(
        [...after.values()].every((places) => places.length === 1 && places[0]![1] === CLIENTS_EACH),
        'they are together again',
      )
      for (const [document, places] of before) {
        if (places[0]![0] !== 'red') t.strictSame(after.get(document), places, `${document} has not moved`)
      }
      t.ok(
        editors.every((editor, index) => textOf(editor).includes(`hello-${index} `)),
        'nothing that was written before is lost',
      )
    },
  )
}
