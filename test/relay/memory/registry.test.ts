import { Directory } from '../../../lib/relay/memory/directory.ts'
import { MemoryRegistry } from '../../../lib/relay/memory/memory-registry.ts'
import { systemClock } from '../../../lib/core/clock.ts'
import { registryContract } from '../../contract/registry.ts'

registryContract(() => {
  const directory = new Directory()
  const registry = new MemoryRegistry(directory, systemClock, new AbortController().signal)
  return { registry, expire: (nodeId) => directory.retire(nodeId) }
})
