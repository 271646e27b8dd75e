import { once } from 'node:events'
import { type Server } from 'node:http'
import { type AddressInfo } from 'node:net'

/** Of a process that `NodeProcess` has started. */
export const nodeName = process.env.NODE_NAME ?? 'node'

/**
 * Listens on `PORT` and says so to the process that started this one, which alone ends it.
 * @param end what is to be ended first when it is stopped politely
 */
export async function serveNode(server: Server, end: () => unknown = () => {}): Promise<void> {
  process.on('disconnect', () => process.exit())
  if (process.connected === false) process.exit()
  process.once('SIGTERM', () => {
    void Promise.resolve(end()).finally(() => process.exit())
  })
  server.listen(Number(process.env.PORT ?? 0), '127.0.0.1')
  await once(server, 'listening')
  tell({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

/** Says something to the process that started this one. */
export function tell(something: object): void {
  if (process.connected) process.send!(something, () => {})
}
