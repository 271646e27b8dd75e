import { type Address, type Connection, type ConnectionFactory } from './connection.ts'

/** How a server is entered. */
export interface Access {
  readonly connect: ConnectionFactory
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: object | undefined
}

/** Milliseconds for TCP and TLS. */
const CONNECT_TIMEOUT = 1_000

export async function enter(access: Access, address: Address, signal: AbortSignal): Promise<Connection> {
  const { connect, ...rest } = access
  const connection = await connect({ ...rest, address, connectTimeout: CONNECT_TIMEOUT, signal })
  if (!signal.aborted) return connection
  connection.destroy()
  throw signal.reason
}

export function placeOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
