// What every check of this repository ends with: one line "N passed, N failed".
const count = { passed: 0, failed: 0, skipped: 0 }

/** Counts and prints one result. @returns `ok` */
export function check(name, ok, details = '') {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`)
  if (!ok && details) console.log(String(details).trim().replace(/^/gm, '     '))
  count[ok ? 'passed' : 'failed']++
  return ok
}

export function counted() {
  return count
}

/** The closing line; sets the exit code. */
export function finish() {
  const { passed, failed, skipped } = count
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
