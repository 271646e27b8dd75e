import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Verb } from '../../lib/admin/call.ts'
import { type ControlAddress } from '../../lib/admin/control-address.ts'
import { ControlServer, type ControlServerOptions } from '../../lib/admin/control-server.ts'
import { type RawConnection, watch } from '../support/backends.ts'
import { type Scope } from '../support/balancer.ts'

/** An address of its own, in a directory that is not there yet. A test directory of tap is too deep for a socket. */
export function address(t: Scope): ControlAddress & { directory: string } {
  const parent = mkdtempSync(join(tmpdir(), 'wslb-test-'))
  t.teardown(() => rmSync(parent, { recursive: true, force: true }))
  const directory = join(parent, 'wslb')
  return { directory, path: join(directory, 'a.sock') }
}

/** A control server that is closed when the test is over. */
export function controlServer(
  t: Scope,
  verbs: Record<string, Verb> = {},
  options?: ControlServerOptions,
): ControlServer {
  const server = new ControlServer(new Map(Object.entries(verbs)), options)
  t.teardown(() => server.close())
  return server
}

/** One that is open, with a verb that says everything back. */
export async function openServer(t: Scope, verbs: Record<string, Verb> = {}, options?: ControlServerOptions) {
  // What is tested does not keep the process alive.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(alive))
  const at = address(t)
  const server = controlServer(t, { echo: ({ input }) => ({ ...input }), ...verbs }, options)
  await server.open(at)
  return { server, ...at }
}

/** A client that says what a test wants. */
export async function rawClient(t: Scope, path: string): Promise<RawConnection & { socket: Socket }> {
  const socket = connect({ path, allowHalfOpen: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return watch(socket)
}
