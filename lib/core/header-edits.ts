/**
 * Changes to a header block that a hook asks for, kept apart from the headers themselves
 * so that a request without edits is forwarded without being copied.
 */
export class HeaderEdits {
  readonly #removed = new Set<string>()
  readonly #added: [name: string, value: string][] = []

  /** Replaces every field of that name. */
  set(name: string, value: string): this {
    return this.remove(name).append(name, value)
  }

  /**
   * Adds a field beside those that are there.
   * @throws TypeError for what cannot be a header, and for those that say where a message ends
   */
  append(name: string, value: string): this {
    if (FRAMING_FIELDS.has(name.toLowerCase())) throw new TypeError(`header ${name} is set by the balancer`)
    assertField(name, value)
    this.#added.push([name, value])
    return this
  }

  remove(name: string): this {
    const key = name.toLowerCase()
    this.#removed.add(key)
    for (let i = this.#added.length - 1; i >= 0; i--) {
      if (this.#added[i]![0].toLowerCase() === key) this.#added.splice(i, 1)
    }
    return this
  }

  removes(lowerCaseName: string): boolean {
    return this.#removed.has(lowerCaseName)
  }

  get added(): readonly (readonly [name: string, value: string])[] {
    return this.#added
  }
}

/** Where a message ends and what becomes of its connection (RFC 9112 §6, §9): never for a hook to say. */
export const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
/** RFC 9110 §5.6.2 token. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** RFC 9110 §5.5: visible, space, tab and obs-text; no CR, LF or NUL. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Names of headers, cookies and methods are tokens. */
export function isToken(text: string): boolean {
  return FIELD_NAME.test(text)
}

/** @throws TypeError for a name or value that would break out of its header line */
export function assertField(name: string, value: unknown): void {
  if (!FIELD_NAME.test(name)) throw new TypeError(`invalid header name: ${JSON.stringify(name)}`)
  if (typeof value !== 'string' || !FIELD_VALUE.test(value)) {
    throw new TypeError(`invalid value for header ${name}: ${JSON.stringify(value)}`)
  }
}
