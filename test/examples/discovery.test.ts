import { appendFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { registerBackend } from '../../lib/register.ts'
import { httpBackend } from '../support/backends.ts'
import { startRedis } from '../support/redis-server.ts'
import { get, open } from './clients.ts'
import { runExample } from './run-example.ts'

async function namesAt(url: string): Promise<string[]> {
  const names = new Set<string>()
  for (let turn = 0; turn < 40; turn++) names.add((await get(url)).body.trim())
  return [...names].sort()
}

t.test('discovery-file: a backend is added and one is removed by an edit', async (t) => {
  const { url, line } = await runExample(t, 'discovery-file')
  const [, path] = /backends in (\S+)/.exec(await line(/^backends in /))!
  t.same(await namesAt(url), ['hello from green', 'hello from red'])
  const blue = await httpBackend(t, (_request, response) => response.end('hello from blue'))
  appendFileSync(path!, `- id: blue\n  url: ${blue.url}\n`)
  await line(/"added":\["blue"\]/)
  t.ok((await namesAt(url)).includes('hello from blue'))
  writeFileSync(path!, `- nonsense\n`)
  await line(/stay as they are: backends\[0\]: got "nonsense"/)
  writeFileSync(path!, `- id: blue\n  url: ${blue.url}\n`)
  await line(/"removed":\["red","green"\]/)
  t.same(await namesAt(url), ['hello from blue'])
})

t.test('discovery-redis: backends register themselves', async (t) => {
  const server = await startRedis(t)
  const { url, line } = await runExample(t, 'discovery-redis', { REDIS_URL: server.url })
  await line(/red/)
  await line(/green/)
  t.same(await namesAt(url), ['hello from green', 'hello from red'])
  const { client, greeting } = await open(url)
  t.match(greeting, /^hello from (red|green)$/)
  const blue = await httpBackend(t, (_request, response) => response.end('hello from blue'))
  const registration = registerBackend({
    redis: server.url,
    key: 'example:backends',
    id: 'blue',
    url: blue.url,
  })
  await line(/"added":\["blue"\]/)
  t.ok((await namesAt(url)).includes('hello from blue'))
  await registration.unregister()
  await line(/"removed":\["blue"\]/)
  client.terminate()
})
