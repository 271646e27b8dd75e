import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { type WslbError } from '../../lib/core/errors.ts'
import { startBalancer } from '../support/balancer.ts'
import { makeCertificate } from '../support/certificate.ts'
import { ask, rawClient, wsClient } from '../support/clients.ts'
import { options, LOCAL, named, spec, said, close, rejection, base, stateOf } from '../support/reload.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/until.ts'

t.test('listeners are added, moved and removed without touching the others', async (t) => {
  const red = await named(t, 'red')
  const config = { ...base, backends: [spec(red)] }
  const { balancer, url } = await startBalancer(t, config, options)
  const kept = await wsClient(t, url)
  const [second, third] = [await freePort(), await freePort()]
  await balancer.reload({ ...config, listen: [LOCAL, { ...LOCAL, port: second }] })
  t.same(
    balancer.snapshot().listeners.map((listener) => `${listener.protocol}://127.0.0.1:${listener.port}`),
    [url, `http://127.0.0.1:${second}`],
  )
  const moving = await wsClient(t, `http://127.0.0.1:${second}`)
  const idle = await rawClient(t, second)
  idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.has('red')
  await balancer.reload({ ...config, listen: [LOCAL, { ...LOCAL, port: third }] })
  t.equal((await ask(`http://127.0.0.1:${third}`)).body, 'red')
  t.equal(await idle.closed, 'end', 'an idle connection of the old one is closed')
  await t.rejects(ask(`http://127.0.0.1:${second}`), { code: 'ECONNREFUSED' })
  t.equal(await said(moving, 'still'), 'still', 'a tunnel of the old one goes on')
  await balancer.reload(config)
  await t.rejects(ask(`http://127.0.0.1:${third}`), { code: 'ECONNREFUSED' })
  t.equal((await ask(url)).body, 'red')
  t.equal(await said(kept, 'untouched'), 'untouched')
  await Promise.all([close(kept), close(moving)])
})

t.test('http becomes https on the same port, and back', async (t) => {
  const red = await named(t, 'red')
  const port = await freePort()
  const plain = { ...base, listen: { ...LOCAL, port }, backends: [spec(red)] }
  const { balancer } = await startBalancer(t, plain, options)
  const client = await wsClient(t, `http://127.0.0.1:${port}`)
  await balancer.reload({ ...plain, listen: { ...plain.listen, tls: await makeCertificate() } })
  t.equal((await ask(`https://127.0.0.1:${port}`)).body, 'red')
  await t.rejects(ask(`http://127.0.0.1:${port}`), 'plain HTTP is over')
  t.equal(await said(client, 'still plain'), 'still plain')
  await balancer.reload(plain)
  t.equal((await ask(`http://127.0.0.1:${port}`)).body, 'red')
  await close(client)
})

t.test('a port that is taken rejects the config, and nothing has changed', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const taken = (other.address() as AddressInfo).port
  const [own, free] = [await freePort(), await freePort()]
  const config = { ...base, listen: { ...LOCAL, port: own }, backends: [spec(red)] }
  const { balancer } = await startBalancer(t, config, options)
  const url = `http://127.0.0.1:${own}`
  const client = await wsClient(t, url)
  const before = stateOf(balancer)
  const rejects: WslbError[] = []
  balancer.on('config:reject', ({ error }) => rejects.push(error))
  const error = await rejection(
    balancer.reload({
      ...config,
      // The port of our own has to make room, and gets it back.
      listen: [
        { ...LOCAL, port: own, tls: 'self-signed' },
        { ...LOCAL, port: free },
        { ...LOCAL, port: taken },
      ],
      backends: [spec(blue)],
    }),
  )
  t.match(error, {
    code: 'WSLB_LISTEN',
    blame: 'config',
    message: new RegExp(`127\\.0\\.0\\.1:${taken}.*EADDRINUSE`),
  })
  t.same(rejects, [error])
  t.equal(stateOf(balancer), before)
  t.equal((await ask(url)).body, 'red')
  t.equal(await said(client, 'on'), 'on')
  await t.rejects(ask(`http://127.0.0.1:${free}`), { code: 'ECONNREFUSED' }, 'what had been opened is closed')
  await close(client)
})

t.test('a new certificate is for new handshakes', async (t) => {
  const red = await named(t, 'red')
  const [first, second] = [await makeCertificate('first'), await makeCertificate('second')]
  const config = (tls: typeof first) => ({ ...base, listen: { ...LOCAL, tls }, backends: [spec(red)] })
  const { balancer, url, port } = await startBalancer(t, config(first), options)
  const presented = async () => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return CN
  }
  const client = await wsClient(t, url)
  t.equal(await presented(), 'first')
  await balancer.reload(config(second))
  t.equal(await presented(), 'second')
  t.equal(balancer.snapshot().listeners[0]!.port, port, 'on the same listener')
  t.equal(await said(client, 'open before'), 'open before')

  const garbage = await rejection(balancer.reload(config({ cert: second.cert, key: 'garbage' })))
  t.equal(garbage.code, 'WSLB_CONFIG_INVALID')
  const mismatch = await rejection(balancer.reload(config({ cert: second.cert, key: first.key })))
  t.equal(mismatch.code, 'WSLB_CONFIG_INVALID', 'a key of another certificate')
  t.equal(await presented(), 'second')
  t.equal(await said(client, 'still open'), 'still open')
  await close(client)
})

t.test('a balancer that is closed while it reloads opens nothing any more', async (t) => {
  const { balancer, url } = await startBalancer(t, { ...base, backends: [] }, options)
  const port = await freePort()
  const listen = [LOCAL, { ...LOCAL, port, tls: 'self-signed' as const }]
  const late = rejection(balancer.reload({ ...base, listen, backends: [] }))
  // One step, and the reload is under way: it waits for its certificate.
  await Promise.resolve()
  await balancer.close()
  t.equal((await late).code, 'WSLB_CLOSED')
  t.same(balancer.snapshot().listeners, [])
  await t.rejects(ask(url), { code: 'ECONNREFUSED' })
  await t.rejects(ask(`https://127.0.0.1:${port}`), { code: 'ECONNREFUSED' })
  t.equal((await rejection(balancer.reload({ ...base, backends: [] }))).code, 'WSLB_CLOSED')
})

t.test('a TLS client that leaves in the middle of the handshake is not kept', async (t) => {
  const listen = { ...LOCAL, tls: await makeCertificate() }
  const { balancer, port } = await startBalancer(t, { ...base, listen, backends: [] }, options)
  const clients = await Promise.all(Array.from({ length: 3 }, () => rawClient(t, port)))
  // The first bytes of a ClientHello.
  for (const { socket } of clients) socket.end(Buffer.from([22, 3, 1, 2, 0, 1]))
  await Promise.all(clients.map(({ closed }) => closed))
  await until(() => balancer.snapshot().connections === 0, 'the connections to go')
  t.pass('long before the timeout of the handshake')
})
