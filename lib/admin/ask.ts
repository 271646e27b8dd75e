import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { messageOf, WslbError } from '../core/errors.ts'
import { seconds } from '../observe/seconds.ts'
import { Refused } from './refused.ts'
import { type Line, SIGN_OF_LIFE } from './reply.ts'

export interface AskOptions {
  readonly input?: object
  readonly onProgress?: (progress: object) => void
  /** Milliseconds without a sign of life after which it is given up. @default twice the time between two */
  readonly patience?: number
}

/** Nothing is there, or what a dead process has left. */
const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'])

/**
 * Asks the process that listens at a socket or named pipe.
 * @returns its result; `undefined` when nobody listens
 * @throws Refused with what it says. WslbError `WSLB_CONTROL` when it does not answer, or ends before it has
 */
export async function ask(path: string, verb: string, options: AskOptions = {}): Promise<object | undefined> {
  const { input = {}, onProgress, patience = 2 * SIGN_OF_LIFE } = options
  const body = JSON.stringify(input)
  const outgoing = request({
    socketPath: path,
    path: `/${verb}`,
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    timeout: patience,
  })
  let silent = false
  outgoing.once('timeout', () => {
    silent = true
    outgoing.destroy()
  })
  // Told by what waits for the answer.
  outgoing.on('error', () => {})
  outgoing.end(body)
  try {
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    return await outcomeOf(answer, onProgress)
  } catch (error) {
    if (error instanceof Refused) throw error
    if (NOBODY.has(String((error as NodeJS.ErrnoException).code))) return undefined
    const why = silent ? `no sign of life for ${seconds(patience)}` : messageOf(error)
    throw new WslbError('WSLB_CONTROL', `the control channel broke off: ${why}`, { cause: error })
  } finally {
    outgoing.destroy()
  }
}

async function outcomeOf(answer: IncomingMessage, onProgress: AskOptions['onProgress']): Promise<object> {
  for await (const text of createInterface({ input: answer })) {
    if (text === '') continue
    const line = JSON.parse(text) as Line
    if ('result' in line) return line.result
    if ('problems' in line) throw new Refused(line.problems)
    onProgress?.(line.progress)
  }
  throw new Error('the other process ended')
}
