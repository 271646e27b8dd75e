import { type Test } from 'tap'

/** Descriptors for everything that is no socket of a proof: files, pipes, listeners, probes. */
const OTHERS = 200

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } }
}

/** As many sockets as are wanted, or as many as this system lets one process have; then it says so, loudly. */
export function affordable(t: Test, wanted: number, descriptorsEach: number): number {
  const { userLimits } = process.report.getReport() as Report
  const limit = userLimits?.open_files?.soft ?? 'unlimited'
  if (limit === 'unlimited') return wanted
  const possible = Math.floor((limit - OTHERS) / descriptorsEach)
  if (possible >= wanted) return wanted
  const warning = `ONLY ${possible} OF ${wanted} SOCKETS: this system allows ${limit} open files a process (ulimit -n)`
  process.stderr.write(`${warning}\n`)
  t.comment(warning)
  return possible
}
