import { join } from 'node:path'
import { generate } from 'selfsigned'
import t from 'tap'
import { ConfigError, type ConfigProblem } from '../../lib/core/errors.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'

const [one, two] = await Promise.all(
  ['one.test', 'two.test'].map((value) => generate([{ name: 'commonName', value }], { keySize: 2048 })),
)

function resolveTls(tls: unknown, baseDir?: string) {
  const config = { backends: ['http://127.0.0.1:1'], listen: { port: 0, tls } }
  return resolveConfig(config, baseDir === undefined ? {} : { baseDir }).listen[0]!.tls
}

t.test('cert and key are PEM text or files, relative to the base directory', async (t) => {
  const dir = t.testdir({ tls: { 'cert.pem': one!.cert, 'key.pem': one!.private } })
  const pem = { cert: one!.cert, key: one!.private }
  t.same(resolveTls(pem), pem)
  t.same(resolveTls({ cert: './tls/cert.pem', key: join(dir, 'tls/key.pem') }, dir), pem)
  t.equal(resolveTls('self-signed'), 'self-signed')
})

function problemsOf(tls: unknown, baseDir?: string): readonly ConfigProblem[] {
  try {
    resolveTls(tls, baseDir)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
  }
  return []
}

t.test('a file that cannot be read is a problem of its own path', async (t) => {
  const dir = t.testdir({ 'key.pem': one!.private })
  t.match(problemsOf({ cert: 'none.pem', key: 'key.pem' }, dir), [
    { path: 'listen.tls.cert', message: /cannot read the file: ENOENT.*none\.pem/ },
  ])
})

t.test('garbage and pairs that do not fit are refused with the reason of openssl', async (t) => {
  const dir = t.testdir({ 'cert.pem': 'garbage', 'key.pem': one!.private })
  t.match(problemsOf({ cert: 'cert.pem', key: 'key.pem' }, dir), [
    { path: 'listen.tls', message: /do not work: .*PEM/i },
  ])
  t.match(problemsOf({ cert: one!.cert, key: two!.private }), [
    { path: 'listen.tls', message: /do not work: .*key values mismatch/ },
  ])
})
