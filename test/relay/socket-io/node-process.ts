import { Server } from 'socket.io'
import { createRelay } from '../../../lib/relay/index.ts'
import { createAdapter } from '../../../lib/relay/socket-io/index.ts'
import { isJoined } from '../../support/socket-io-servers.ts'

// A Socket.IO server in a process of its own: says when the others know of it, and lives until it is killed.
const relay = createRelay({ redis: { url: process.argv[2]! } })
const io = new Server({ adapter: createAdapter(relay) })
io.on('hello', (answer: (value: string) => void) => answer('from a process'))
await isJoined(io.of('/'), relay)
process.send!('joined')
process.on('disconnect', () => process.exit())
