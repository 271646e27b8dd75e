import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { join } from 'node:path'
import { Parser } from 'tap-parser'
import { counted } from './counter.mjs'

/** A process that is deaf to tap's own time limits is ended. */
const DEADLINE = 300_000

/**
 * Runs a compiled test file, adds its assertions to the count, and prints a line about it, with what has failed.
 * @param name of its source
 * @param folder where the compiled ones are
 * @param timeout seconds that tap gives it, unless it says otherwise
 */
export async function runFile(name, { folder, timeout }) {
  const begun = performance.now()
  const parser = new Parser()
  const { failures, assertions } = watched(parser)
  // What a test prints outside of TAP.
  parser.on('extra', (text) => process.stdout.write(text))
  const complete = once(parser, 'complete')
  const child = spawn(process.execPath, [join(folder, name.replace(/\.ts$/, '.js'))], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TAP_TIMEOUT: String(timeout) },
    timeout: DEADLINE,
    killSignal: 'SIGKILL',
  })
  child.stdout.pipe(parser)
  const [[code, signal], [results]] = await Promise.all([once(child, 'close'), complete])
  if (failures.length === 0 && (code !== 0 || !results.ok)) {
    counted().failed++
    const how = signal ? `was ended by ${signal}` : `exited with ${code}`
    failures.push({ fullname: `the process ${how}`, diag: { failures: results.failures } })
  }
  const took = Math.round(performance.now() - begun)
  console.log(
    `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${name.replaceAll('\\', '/')} (${assertions()}, ${took} ms)`,
  )
  for (const failure of failures) report(failure, folder)
}

/** Counts the assertions of one file; a test that contains tests is not one itself. */
function watched(parser) {
  const count = counted()
  const failures = []
  let assertions = 0
  const watch = (node) => {
    let closing = 0
    node.on('child', (child) => {
      closing++
      watch(child)
    })
    node.on('assert', (result) => {
      // After a child comes the line that sums it up; it counts only when it fails without a failing child.
      const summary = closing > 0
      if (summary) closing--
      if (summary && (result.ok || failures.length > 0)) return
      assertions++
      if (result.skip || result.todo) count.skipped++
      else count[result.ok ? 'passed' : 'failed']++
      if (!result.ok && !result.todo) failures.push(result)
    })
  }
  watch(parser)
  return { failures, assertions: () => assertions }
}

function report({ fullname, diag }, folder) {
  const { diff, at, stack, ...rest } = diag ?? {}
  const place = at ? `\n    ${at.fileName}:${at.lineNumber}:${at.columnNumber}` : ''
  const details = diff ?? (Object.keys(rest).length > 0 ? JSON.stringify(rest, undefined, 2) : '')
  const text = `${details}\n${stack ?? ''}`.trim().replace(/^/gm, '    ')
  console.log(inSources(`\n  ✗ ${fullname}${place}\n${text}\n`, folder))
}

/** Places in compiled files, told as those of what was compiled. */
function inSources(text, folder) {
  const pattern = new RegExp(`(?:[^\\s(]*/)?${folder.replaceAll('.', '\\.')}/(\\S+)\\.js:(\\d+):(\\d+)`, 'g')
  return text.replace(pattern, (place, name, line, column) => {
    const map = join(folder, `${name}.js.map`)
    if (!existsSync(map)) return place
    const entry = new SourceMap(JSON.parse(readFileSync(map, 'utf8'))).findEntry(line - 1, column - 1)
    return `${name}.ts:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  })
}
