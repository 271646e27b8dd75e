/** What an application publishes: text, bytes, or anything that JSON can hold. */
export type Payload = string | Uint8Array | number | boolean | null | object

/** What travels in a body besides the payload. */
export interface Envelope {
  readonly data: Payload
  /** Key of the application. */
  readonly id: string | undefined
  /** Milliseconds since 1970 after which nobody wants the message any more; 0 for never. */
  readonly expires: number
}

const NEWLINE = 10

/**
 * A line of ASCII, `kind[,expires[,id]]`, then the payload. Kinds: `t` text, `b` bytes, `j` JSON.
 * @throws TypeError for what JSON cannot hold
 */
export function seal({ data, id, expires }: Envelope): Buffer {
  const [kind, payload] = encode(data)
  const tail = id === undefined ? (expires ? `,${expires}` : '') : `,${expires},${encodeURIComponent(id)}`
  return Buffer.concat([Buffer.from(`${kind}${tail}\n`, 'latin1'), payload])
}

/** @throws TypeError for a body that `seal` has not made */
export function unseal(body: Buffer): Envelope {
  const end = body.indexOf(NEWLINE)
  if (end < 0) throw new TypeError('no relay message: its first line is missing')
  const [kind, expires = '0', id] = body.toString('latin1', 0, end).split(',')
  return {
    data: decode(kind!, body.subarray(end + 1)),
    id: id === undefined ? undefined : decodeURIComponent(id),
    expires: Number(expires),
  }
}

function encode(data: Payload): [kind: string, payload: Uint8Array] {
  if (typeof data === 'string') return ['t', Buffer.from(data)]
  if (data instanceof Uint8Array) return ['b', data]
  const json: string | undefined = JSON.stringify(data)
  if (json === undefined) throw new TypeError(`${typeof data} cannot be published: text, bytes or JSON can`)
  return ['j', Buffer.from(json)]
}

function decode(kind: string, payload: Buffer): Payload {
  if (kind === 't') return payload.toString()
  if (kind === 'b') return payload
  if (kind === 'j') return JSON.parse(payload.toString()) as Payload
  throw new TypeError(`no relay message: unknown kind ${JSON.stringify(kind)}`)
}
