import { createRelay, MemoryStore } from '../../../lib/relay/index.ts'
import { socketIoAdapterContract } from '../../contract/socket-io-adapter.ts'

socketIoAdapterContract((_t, count) => {
  const memory = new MemoryStore()
  return Array.from({ length: count }, () => createRelay({ memory }))
})
