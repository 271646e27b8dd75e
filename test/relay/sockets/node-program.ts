import { createRelay } from '../../../lib/relay/index.ts'
import { socketServer } from './bench.ts'

/** A node in a process of its own: whoever connects is attached, and in the lobby. Says its address as a line. */
const [url = '', nodeId = ''] = process.argv.slice(2)
const relay = createRelay({ redis: { url }, nodeId })
const { url: address } = await socketServer({ teardown() {} }, relay, {}, (attachment) => {
  attachment.join('lobby', nodeId).catch(() => {})
})
process.stdout.write(`${address}\n`)
