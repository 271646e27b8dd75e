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

export function voteOf(reply: Reply, asked: number, answered: number): Vote {
  const fields = fieldsOf(reply)
  const number = (name: string) => Number(fields.get(name) ?? 0)
  return {
    address: { host: fields.get('ip') ?? '', port: number('port') },
    term: number('config-epoch'),
    asked,
    answered,
    // It begins anew when a Sentinel takes another server for the master, and when the Sentinel itself starts.
    age: number('role-reported-time'),
    sentinels: number('num-other-sentinels') + 1,
  }
}

/** Names and values that take turns. */
export function fieldsOf(reply: Reply | undefined): ReadonlyMap<string, string> {
  const words = Array.isArray(reply) ? (reply as readonly Reply[]).map(String) : []
  const fields = new Map<string, string>()
  for (let index = 0; index + 1 < words.length; index += 2) fields.set(words[index]!, words[index + 1]!)
  return fields
}
