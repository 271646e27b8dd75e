import t from 'tap'
import { Ledger } from './ledger.ts'

t.test('the ledger tells of what is lost, doubled or out of order', async (t) => {
  const ledger = new Ledger()
  for (const number of [0, 1, 1, 3]) ledger.received('client 1', number)
  ledger.received('client 2', 0)
  t.strictSame(ledger.errors, [
    'client 1: message 1 came where 2 was due',
    'client 1: message 3 came where 2 was due',
  ])
  t.equal(ledger.count('client 1'), 4)
  t.equal(ledger.count('client 2'), 1)
  t.equal(ledger.count('client 3'), 0)
})
