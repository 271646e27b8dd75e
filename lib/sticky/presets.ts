import { hashBy } from './hash-by.ts'
import { learned } from './learned.ts'
import { type StickyStrategy } from './strategy.ts'

/** What a protocol needs so that its clients come back to their backend. */
export interface Preset {
  readonly strategies: () => readonly StickyStrategy[]
  /** Whether the cookie comes after them, for clients that keep cookies: it outlives a restart, and all balancers know it. */
  readonly cookie: boolean
}

/** By the name of the protocol. The reasons are in docs/decisions.md. */
export const PRESETS = {
  'socket.io': { strategies: () => [learned('engine.io')], cookie: true },
  sockjs: { strategies: () => [learned('sockjs')], cookie: true },
  signalr: { strategies: () => [learned('signalr')], cookie: true },
  colyseus: { strategies: () => [learned('colyseus')], cookie: true },
  // The path is the document: everybody who has it open must meet, whoever they are.
  yjs: { strategies: () => [hashBy(({ path }) => path)], cookie: false },
} as const satisfies Record<string, Preset>

export type PresetName = keyof typeof PRESETS
