import t from 'tap'
import { tcpProbe } from '../../lib/health/tcp-probe.ts'
import { ask, probeContract } from '../contract/probe.ts'
import { httpsBackend, rawBackend } from '../support/backends.ts'
import { makeCertificate } from '../support/certificate.ts'

probeContract({ make: tcpProbe, well: (t) => rawBackend(t), connectsOnly: true })

t.test('behind https the TLS handshake is part of it', async (t) => {
  const certificate = await makeCertificate()
  const backend = await httpsBackend(t, certificate, (_request, response) => response.end())
  await t.rejects(ask(tcpProbe(), backend.url), { message: /self-signed certificate/ })
  const plain = await rawBackend(t, ({ socket }) =>
    socket.once('data', () => socket.end('HTTP/1.1 400 No\r\n\r\n')),
  )
  await t.rejects(ask(tcpProbe(), plain.url.replace('http:', 'https:')))
})
