import { type IncomingMessage } from 'node:http'
import { ConfigError } from '../core/errors.ts'
import { ask } from './ask.ts'
import { type Probe } from './probe.ts'
import { withConnection } from './with-connection.ts'

/** Which statuses are well: one, some, or those a predicate says yes to. */
export type ExpectedStatus = number | readonly number[] | ((status: number) => boolean)

/** What a good answer looks like: its status, or its status and its body. */
export type HttpExpectation =
  | ExpectedStatus
  | {
      /** @default every 2xx and 3xx */
      readonly status?: ExpectedStatus
      /** The first 64 KiB of the body contain the string, or match. */
      readonly body?: string | RegExp
    }

export interface HttpProbeOptions {
  /** @default 'HEAD', 'GET' when a body is expected */
  readonly method?: string
  /** @default '/' */
  readonly path?: string
  /** Sent as they are; `host` defaults to the backend's. @default none */
  readonly headers?: Readonly<Record<string, string>>
  /** @default every 2xx and 3xx */
  readonly expect?: HttpExpectation
}

/** Bytes of a body that are looked at. */
const LONGEST_BODY = 64 * 1024
const SHOWN = 60

/** Asks over HTTP on a connection of its own, so that it finds out what a new client would. @throws ConfigError */
export function httpProbe(options: HttpProbeOptions = {}): Probe {
  const { status, body } = expectationOf(options.expect)
  const { method = defaultMethod(body), path = '/' } = options
  if (method === 'HEAD' && body !== undefined) {
    throw new ConfigError([{ path: 'method', message: HEAD_HAS_NO_BODY }])
  }
  const question = questionOf(options)
  return (_backend, context) =>
    withConnection(context, async (socket) => {
      const headers = { host: context.host, 'user-agent': 'wslb health probe', 'accept-encoding': 'identity' }
      const { response, head } = await ask(socket, {
        method,
        path,
        headers: { ...headers, ...options.headers },
      })
      if (head) throw new Error(`${question} answered 101, a change of protocol`)
      const { statusCode = 0 } = response
      // A predicate that is async is waited for rather than taken for true.
      if (!(await status(statusCode))) {
        throw new Error(`${question} answered ${statusCode} (see health.path and health.expect)`)
      }
      if (body !== undefined) checkBody(await startOf(response), body, `${question} answered ${statusCode}`)
    })
}

/** What is asked, as messages say it: `HEAD /`. */
export function questionOf({ expect, path = '/', method }: HttpProbeOptions): string {
  return `${method ?? defaultMethod(expectedBody(expect))} ${path}`
}

function defaultMethod(body: string | RegExp | undefined): string {
  return body === undefined ? 'HEAD' : 'GET'
}

/** What is wrong with HEAD where a body is expected, and what helps. */
export const HEAD_HAS_NO_BODY = 'the answer to HEAD has no body to expect something of; write method: "GET"'

interface Expectation {
  readonly status: (status: number) => boolean | Promise<boolean>
  readonly body: string | RegExp | undefined
}

/** The body that an answer is to have, if any. */
export function expectedBody(expect: HttpExpectation | undefined): string | RegExp | undefined {
  return expectationOf(expect).body
}

function expectationOf(expect: HttpExpectation | undefined): Expectation {
  if (typeof expect !== 'object' || isList(expect)) return { status: statusIn(expect), body: undefined }
  return { status: statusIn(expect.status), body: expect.body }
}

function statusIn(expected: ExpectedStatus | undefined): (status: number) => boolean {
  if (expected === undefined) return (status) => status >= 200 && status < 400
  if (typeof expected === 'function') return expected
  return isList(expected) ? (status) => expected.includes(status) : (status) => status === expected
}

function isList(expect: object | number): expect is readonly number[] {
  return Array.isArray(expect)
}

async function startOf(response: IncomingMessage): Promise<string> {
  const { 'content-encoding': coding = 'identity' } = response.headers
  if (coding !== 'identity') throw new Error(`answered in ${coding}, which was not asked for`)
  const chunks: Buffer[] = []
  let left = LONGEST_BODY
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, left))
      left -= chunk.length
      if (left <= 0) break
    }
  } catch (error) {
    throw new Error('broke off in the middle of its answer', { cause: error })
  }
  return Buffer.concat(chunks).toString()
}

function checkBody(text: string, body: string | RegExp, answered: string): void {
  // search() and not test(): an expression with the flag g or y remembers where it was.
  const found = typeof body === 'string' ? text.includes(body) : text.search(body) >= 0
  if (found) return
  const wanted = typeof body === 'string' ? JSON.stringify(body) : String(body)
  const got = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
  throw new Error(`${answered} without ${wanted} (see health.expect.body), but ${JSON.stringify(got)}`)
}
