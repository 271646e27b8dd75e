import t from 'tap'
import { createBalancer } from '../../lib/index.ts'
import { httpBackend } from '../support/backends.ts'

t.test('probes name the host that a backend is said to have', async (t) => {
  let asked: string | undefined
  const seen = new Promise<void>((resolve) => {
    void httpBackend(t, (request, response) => {
      asked = request.headers.host
      response.end()
      resolve()
    }).then(async ({ url }) => {
      const balancer = createBalancer({
        listen: { port: 0, host: '127.0.0.1' },
        backends: [{ url, host: 'chat.internal:3000' }],
      })
      t.teardown(() => balancer.close())
      await balancer.listen()
    })
  })
  await seen
  t.equal(asked, 'chat.internal:3000')
})
