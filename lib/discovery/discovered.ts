import { type BackendTls } from '../core/backend.ts'

/** What the built-in sources say of a backend: the part of what a config takes that they know. */
export interface Discovered {
  readonly url: string
  readonly id?: string
  readonly weight?: number
  readonly backup?: boolean
  readonly host?: string
  readonly tls?: BackendTls
}
