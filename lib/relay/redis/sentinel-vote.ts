import { type Reply } from '../session/evaluator.ts'
import { type Address } from './connection.ts'

/** What one Sentinel says of the master, as SENTINEL MASTER tells it. */
export interface Vote {
  readonly address: Address
  /** Grows with each failover, and is the same at all Sentinels that have heard of it. */
  readonly term: number
  /** When it was asked, and when it had answered. */
  readonly asked: number
  readonly answered: number
  /** Milliseconds for which it has named this master at least. */
  readonly age: number
  /** Sentinels that it knows, itself included. */
  readonly sentinels: number
}

/** @returns `undefined` for an answer that makes no sense: it would make none in a majority either */
export function voteOf(reply: Reply, asked: number, answered: number): Vote | undefined {
  const fields = fieldsOf(reply)
  const countOf = (name: string) =>
    /^\d{1,15}$/.test(fields.get(name) ?? '') ? Number(fields.get(name)) : NaN
  const [host, port, term] = [fields.get('ip') ?? '', countOf('port'), countOf('config-epoch')]
  // It begins anew when a Sentinel takes another server for the master, and when the Sentinel itself starts.
  const age = countOf('role-reported-time')
  const sentinels = countOf('num-other-sentinels') + 1
  if (host === '' || !(port > 0 && port < 65_536) || Number.isNaN(term + age + sentinels)) return undefined
  return { address: { host, port }, term, asked, answered, age, sentinels }
}

/** Names and values that take turns. */
export function fieldsOf(reply: Reply | undefined): ReadonlyMap<string, string> {
  const words = Array.isArray(reply) ? (reply as readonly Reply[]).map(String) : []
  const fields = new Map<string, string>()
  for (let index = 0; index + 1 < words.length; index += 2) fields.set(words[index]!, words[index + 1]!)
  return fields
}
