import { createClient } from 'redis'

/** What the relay replaces: the same with plain Redis publish/subscribe. @returns how to say something to all clients */
export async function broadcast(url: string, deliver: (text: string) => void) {
  const publisher = createClient({ url })
  const subscriber = publisher.duplicate()
  for (const client of [publisher, subscriber]) client.on('error', () => {})
  await Promise.all([publisher.connect(), subscriber.connect()])
  await subscriber.subscribe('chat', deliver)
  return {
    say: (text: string) => publisher.publish('chat', text),
    close: () => [publisher, subscriber].forEach((client) => client.destroy()),
  }
}
