import { systemClock } from '../../../lib/core/clock.ts'
import { MemoryStore } from '../../../lib/relay/memory/memory-store.ts'
import { MemoryTransport } from '../../../lib/relay/memory/memory-transport.ts'
import { sessionContract } from '../../contract/session.ts'

sessionContract(() => {
  const store = new MemoryStore()
  return { transport: () => new MemoryTransport(store, systemClock) }
})
