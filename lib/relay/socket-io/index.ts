export { createAdapter } from './create-adapter.ts'
export { type AdapterOptions, type OnGap } from './options.ts'
export { type RelayAdapter } from './relay-adapter.ts'
