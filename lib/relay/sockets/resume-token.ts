import { type Position } from '../session/position.ts'
import { positionAt } from './at.ts'

/** Characters. */
const LONGEST = 65_536

/**
 * What a client says of where it stood: channel → `at`, as JSON. It comes from outside, and may be anything: it says from
 * where a channel is read that the application subscribes to, and nothing else.
 */
export class ResumeToken {
  readonly #places: Readonly<Record<string, unknown>> | undefined
  readonly #given: boolean
  readonly #taken = new Set<string>()

  constructor(token: string | null | undefined) {
    this.#given = token != null && token !== ''
    this.#places = this.#given ? placesOf(token) : {}
  }

  /** Once for each channel. @returns `'bad'` where the client has said something that nobody can make sense of */
  take(channel: string): Position | 'bad' | undefined {
    if (!this.#given || this.#taken.has(channel)) return undefined
    this.#taken.add(channel)
    if (!this.#places) return 'bad'
    if (!Object.hasOwn(this.#places, channel)) return undefined
    return positionAt(this.#places[channel]) ?? 'bad'
  }
}

function placesOf(token: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof token !== 'string' || token.length > LONGEST) return undefined
  try {
    const places: unknown = JSON.parse(token)
    return typeof places === 'object' && places !== null && !Array.isArray(places)
      ? (places as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}
