import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { messageOf } from '../core/errors.ts'
import { type Certificate, type ListenerOptions } from '../listener/options.ts'
import { readRegularFile } from '../files/regular-file.ts'
import { depends, isObject, judged, list, mismatch, object, oneOf, type Rule, value, Wrong } from './rule.ts'
import { host } from './values.ts'

const PORT = 'a port, 0 to 65535'

const port: Rule<number> = judged((given) => {
  if (Number.isInteger(given) && Number(given) >= 0 && Number(given) <= 65_535) return given as number
  const hint = typeof given === 'string' && /^\d+$/.test(given) ? `, without the quotes` : ''
  return new Wrong(mismatch(given, PORT, hint))
})

/** PEM text, or the file that has it. */
function pem(baseDir: string): Rule<string> {
  return judged((given) => {
    if (typeof given !== 'string' || given === '')
      return new Wrong(mismatch(given, 'a file path or PEM text'))
    if (isPem(given)) return given
    try {
      return readRegularFile(resolve(baseDir, given)).toString()
    } catch (error) {
      return new Wrong(`cannot read the file: ${messageOf(error)}`)
    }
  })
}

/** Whether a certificate or key is given as text, not as a path. */
export function isPem(given: string): boolean {
  return given.includes('-----BEGIN')
}

function certificate(baseDir: string): Rule<Certificate> {
  const shape = { cert: pem(baseDir), key: pem(baseDir) }
  return object('"self-signed", or an object with cert and key', shape).superRefine((given, context) => {
    try {
      createSecureContext(given)
    } catch (error) {
      context.addIssue(`cert and key do not work: ${messageOf(error)}`)
    }
  })
}

function listener(baseDir: string): Rule<ListenerOptions> {
  const tls = depends<'self-signed' | Certificate>((given) =>
    typeof given === 'string'
      ? oneOf(['self-signed'], ', or an object with cert and key')
      : certificate(baseDir),
  )
  const full = object(`${PORT}, or an object with a port`, {
    port,
    host: host.default('0.0.0.0'),
    tls: tls.optional(),
  })
  return depends((given) =>
    isObject(given)
      ? full.transform(({ port, host, tls }) => ({ port, host, tls }))
      : portOnly.transform((port) => ({ port, host: '0.0.0.0', tls: undefined })),
  )
}

const portOnly: Rule<number> = depends((given) =>
  typeof given === 'number' ? port : value<number>(`${PORT}, or an object with a port`, () => undefined),
)

export function listeners(baseDir: string): Rule<ListenerOptions[]> {
  const one = listener(baseDir)
  return depends((given) => (Array.isArray(given) ? list('', one) : one.transform((only) => [only])))
}
