// How do I look into the messages of a chat: refuse, change and answer some of them? A hook on that route only.
import { createBalancer, type MessageHook } from 'wslb'
import { startBackends } from './support/backends.ts'

const MUTED = /\b(?:darn|heck)\b/gi
const LONGEST = 280

/** What goes on is what is returned; nothing returned: the message as it is. */
const moderate: MessageHook = ({ from, data }, { request }) => {
  if (from === 'backend' || typeof data !== 'string') return
  if (data === '/ping') return { reply: '/pong' } // never reaches the backend
  if (data.length > LONGEST) return { close: 1008, reason: `${LONGEST} characters at most` }
  if (data.startsWith('/admin') && request.query.get('role') !== 'admin') return false
  if (data.search(MUTED) >= 0) return data.replace(MUTED, '***')
}

const balancer = createBalancer({
  listen: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' },
  pools: { chat: { backends: await startBackends('red', 'blue') } },
  routes: [
    {
      path: '/chat/*',
      pool: 'chat',
      hooks: { onMessage: { hook: moderate, from: 'client', maxSize: 16_384 } },
    },
    { pool: 'chat' }, // nobody looks into these: bytes pass as they come
  ],
})
balancer.on('tunnel:close', ({ cause, error }) => {
  if (cause === 'hook') console.log(`closed by the hook: ${error?.message ?? 'as it said'}`)
})

const [address] = await balancer.listen()
console.log(`ready http://127.0.0.1:${address!.port}`)
console.log(`Try: npx wscat -c ws://127.0.0.1:${address!.port}/chat, then: what the heck`)
