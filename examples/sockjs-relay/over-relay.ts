import { createRelay } from 'wslb/relay'

/** @returns how to say something to all clients of all nodes */
export async function broadcast(url: string, deliver: (text: string) => void) {
  const relay = createRelay({ redis: { url } })
  const subscription = relay.subscribe('chat', ({ data }) => deliver(data as string))
  await subscription.ready
  return {
    say: (text: string) => relay.publish('chat', text),
    close: () => relay.close(),
  }
}
