// How do I write a balancing policy? Here: everybody in a room (`/?room=…`) comes to the same backend.
import { createHash } from 'node:crypto'
import { createBalancer, type Policy } from 'wslb'
import { startBackends } from './support/backends.ts'

/**
 * Rendezvous hashing: each backend draws a number for the room, the highest has it. When a backend
 * leaves, only its own rooms move, and any number of balancers agree without talking to each other.
 */
const byRoom: Policy = {
  name: 'by-room',
  pick(candidates, request) {
    const room = request.query.get('room') ?? ''
    const draw = (id: string) => createHash('sha1').update(`${room} ${id}`).digest().readUInt32BE()
    return candidates.reduce((best, backend) => (draw(backend.id) > draw(best.id) ? backend : best))
  },
}

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  backends: await startBackends('red', 'green', 'blue'),
  balance: byRoom,
  sticky: false, // the room decides, not where the client was before
})

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)
console.log(`Try: curl 'http://127.0.0.1:${address!.port}/?room=lobby', and other rooms`)
