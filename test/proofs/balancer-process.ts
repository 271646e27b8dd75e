import { type Balancer, createBalancer } from '../../lib/balancer.ts'
import { type Config } from '../../lib/config/config.ts'
import { serve } from './child.ts'

/** A process with a balancer in it and nothing else, which knows its memory. Run it with --expose-gc. */

let balancer: Balancer

/** @param messageMode whether a hook sees every message, and lets it pass */
async function start({
  messageMode,
  ...config
}: Config & { messageMode?: boolean }): Promise<{ port: number }> {
  const hooks = messageMode ? { hooks: { onMessage: () => undefined } } : {}
  balancer = createBalancer({ listen: { port: 0, host: '127.0.0.1' }, ...hooks, ...config })
  const [address] = await balancer.listen()
  return { port: address!.port }
}

/** In bytes, after a collection of garbage: what is held, resident now, and resident at the highest so far. */
async function memory(): Promise<{ held: number; resident: number; highest: number }> {
  // Collected buffers are given back a little later, by a thread of V8.
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { held: heapUsed + external, resident: rss, highest: process.resourceUsage().maxRSS * 1024 }
}

const verbs = { start, memory }

export type BalancerProcess = typeof verbs

serve(verbs)
