import { type Certificate, type ListenerOptions } from './options.ts'

/** The certificate of a listener; a self-signed one is made once per process and host, so that reloads keep it. */
export async function certificateFor(
  tls: NonNullable<ListenerOptions['tls']>,
  host: string,
): Promise<Certificate> {
  if (tls !== 'self-signed') return tls
  let made = selfSigned.get(host)
  if (!made) selfSigned.set(host, (made = makeSelfSigned(host)))
  return made
}

const selfSigned = new Map<string, Promise<Certificate>>()

async function makeSelfSigned(host: string): Promise<Certificate> {
  const { generate } = await import('selfsigned')
  const { isIP } = await import('node:net')
  const names = new Set(['localhost', '127.0.0.1', '::1', ...(/^(0\.0\.0\.0|::)$/.test(host) ? [] : [host])])
  const altNames = [...names].map((name) =>
    isIP(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
  )
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'wslb self-signed' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames }],
  })
  return { cert, key }
}
