import { mkdirSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { controlAddresses } from '../../lib/admin/control-address.ts'

const us = process.getuid!()
const linux = { platform: 'linux', env: {}, temporary: '/tmp' } as const
const pathsOf = (config: string, surroundings = {}) =>
  controlAddresses(config, { ...linux, ...surroundings }).map(({ path }) => path)

t.test('a socket in the directory of the user, else in the temporary one', async (t) => {
  const [address, ...others] = controlAddresses('/srv/lb.config.ts', linux)
  t.match(address, { directory: `/tmp/wslb-${us}`, path: /^\/tmp\/wslb-\d+\/[0-9a-f]{16}\.sock$/ })
  t.same(others, [])
  const both = pathsOf('/srv/lb.config.ts', { env: { XDG_RUNTIME_DIR: '/run/user/7' } })
  t.match(both, [/^\/run\/user\/7\/wslb\/[0-9a-f]{16}\.sock$/, address.path])
  const relative = pathsOf('/srv/lb.config.ts', { env: { XDG_RUNTIME_DIR: 'run' } })
  t.same(relative, [address.path], 'a relative one does not count')
  t.ok(
    controlAddresses('/srv/lb.config.ts')[0].path.endsWith(address.path.slice(-21)),
    'where this process runs',
  )
})

t.test('each config has its own, however it is named, also while the file is away', async (t) => {
  const dir = t.testdir({ 'lb.config.ts': '', 'other.ts': '', sub: {} })
  const file = join(dir, 'lb.config.ts')
  symlinkSync(file, join(dir, 'sub', 'link.ts'))
  t.same(pathsOf(join(dir, 'sub', 'link.ts')), pathsOf(file))
  t.same(pathsOf(join(dir, 'sub', '..', 'lb.config.ts')), pathsOf(file))
  t.notSame(pathsOf(join(dir, 'other.ts')), pathsOf(file))
  const before = pathsOf(file)
  mkdirSync(join(dir, 'away'))
  renameSync(file, join(dir, 'away', 'lb.config.ts'))
  t.same(pathsOf(file), before)
})

t.test('a named pipe on Windows', async (t) => {
  const [address, ...others] = controlAddresses('/srv/lb.config.ts', { platform: 'win32' })
  t.match(address, { directory: undefined, path: /^\\\\\.\\pipe\\wslb-[0-9a-f]{16}$/ })
  t.same(others, [])
})
