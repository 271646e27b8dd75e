import { type IncomingMessage, type Server } from 'node:http'
import { type Socket } from 'node:net'
import { listTokens } from '../protocol/headers.ts'
import { isBusy } from './turns.ts'

/**
 * Gives a request back to the server that took it for an upgrade, e.g. `Upgrade: h2c` from Java's HttpClient or
 * `curl --http2`. A server may ignore an upgrade it does not want (RFC 9110 §7.8); Node hands over the bare socket
 * instead, so the head is written anew without the offer and parsed once more, body and later requests included.
 */
export function replayAsRequest(
  server: Server,
  message: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  // Behind a request that is still to be answered: its answer and this one would get into each other's way.
  if (isBusy(socket)) return void socket.destroy()
  let text = `${message.method} ${message.url} HTTP/${message.httpVersion}\r\n`
  const { rawHeaders } = message
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const value = name === 'connection' ? withoutUpgrade(rawHeaders[i + 1]!) : rawHeaders[i + 1]!
    if (name !== 'upgrade' && !(name === 'connection' && value === ''))
      text += `${rawHeaders[i]}: ${value}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
}

function withoutUpgrade(connection: string): string {
  return listTokens([connection])
    .filter((token) => token !== 'upgrade' && token !== 'http2-settings')
    .join(', ')
}
