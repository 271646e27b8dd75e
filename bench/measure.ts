import { setTimeout as sleep } from 'node:timers/promises'
import { type Child } from './child-process.ts'
import { cpuMicroseconds, residentBytes } from './usage.ts'
import { closeSockets, openSockets, type Workload } from './workloads.ts'

/** CPU of the proxy for one of what the workload does, in microseconds. */
export async function cpuPerUnit(proxy: Child, workload: Workload, count: number): Promise<number> {
  const session = await workload.open(proxy.port)
  // Connections are opened and code is compiled before anything is counted.
  await session.run(Math.ceil(count / 4))
  const before = cpuMicroseconds(proxy.pid)
  await session.run(count)
  const after = cpuMicroseconds(proxy.pid)
  await session.close()
  return (after - before) / count
}

/** Memory of the proxy for one open socket on which nothing happens, in bytes. For a process that has done nothing else. */
export async function memoryPerSocket(proxy: Child, count: number): Promise<number> {
  // What the first handshakes leave behind for good is no cost of a socket.
  await closeSockets(await openSockets(proxy.port, Math.ceil(count / 4)))
  const before = await settledMemory(proxy)
  const sockets = await openSockets(proxy.port, count)
  const after = await settledMemory(proxy)
  await closeSockets(sockets)
  return (after - before) / count
}

async function settledMemory(proxy: Child): Promise<number> {
  await sleep(300)
  await proxy.collectGarbage()
  return residentBytes(proxy.pid)
}
