import { type IncomingMessage, request as httpRequest } from 'node:http'
import { type Duplex } from 'node:stream'

export interface Question {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Answer {
  readonly response: IncomingMessage
  /** After a `101`: the bytes that came with it. */
  readonly head: Buffer | undefined
}

/** Puts a question over HTTP/1.1. @returns settles with the head of the answer @throws an Error that says what came */
export function ask(socket: Duplex, question: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ ...question, createConnection: () => socket })
    outgoing.on('error', (error) => reject(inWords(error)))
    outgoing.on('upgrade', (response, _socket, head) => resolve({ response, head }))
    outgoing.on('response', (response) => resolve({ response, head: undefined }))
    outgoing.end()
  })
}

function inWords(error: NodeJS.ErrnoException): Error {
  const { code = '', syscall, message, reason } = error as NodeJS.ErrnoException & { reason?: string }
  const text = code.startsWith('HPE_')
    ? `did not answer in HTTP: ${reason ?? message}`
    : code !== 'ECONNRESET'
      ? message
      : syscall === 'read'
        ? 'reset the connection before it answered'
        : 'closed the connection before it answered'
  return new Error(text, { cause: error })
}
