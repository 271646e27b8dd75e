import { readFileSync, readdirSync } from 'node:fs'

/** CPU time, user and system, of a process and its descendants so far, in microseconds. Linux only. */
export function cpuMicroseconds(pid: number): number {
  return family(pid).reduce((sum, member) => sum + onCpu(member), 0)
}

/** Resident memory of a process and its descendants, in bytes. Linux only. */
export function residentBytes(pid: number): number {
  return family(pid).reduce((sum, member) => {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, 'utf8')) ?? []
    return sum + Number(kibibytes) * 1024
  }, 0)
}

/** The scheduler counts in nanoseconds, per thread; `/proc/PID/stat` counts in ticks of 10 ms. */
function onCpu(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
    return sum + Number(nanoseconds) / 1_000
  }, 0)
}

function family(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number)
  return [pid, ...children.flatMap(family)]
}

function parentOf(pid: string): number | undefined {
  try {
    // The name in parentheses may hold anything, parentheses included.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1])
  } catch {
    return undefined // It ended meanwhile.
  }
}
