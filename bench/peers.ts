import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from './child-process.ts'
import { haproxyConfig } from './haproxy.ts'
import { nginxConfig } from './nginx.ts'

export interface Peer {
  readonly name: string
  start(backendPort: number): Promise<Child>
}

const folder = mkdtempSync(join(tmpdir(), 'wslb-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** The first one is what the others are compared with. haproxy and nginx take part when they are on the PATH. */
export function peers(): Peer[] {
  return [
    { name: 'wslb', start: (backendPort) => startNode('wslb', backendPort) },
    { name: 'wslb, onMessage', start: (backendPort) => startNode('wslb', backendPort, 'messages') },
    { name: 'wslb, sticky cookie', start: (backendPort) => startNode('wslb', backendPort, 'sticky') },
    {
      name: 'http-proxy, keep-alive',
      start: (backendPort) => startNode('http-proxy', backendPort, 'keep-alive'),
    },
    { name: 'http-proxy', start: (backendPort) => startNode('http-proxy', backendPort) },
    ...found('haproxy', '-v', (port, backendPort) => [
      '-db',
      '-f',
      written('haproxy.cfg', haproxyConfig(port, backendPort)),
    ]),
    ...found('nginx', '-v', (port, backendPort) => [
      '-e',
      'stderr',
      '-c',
      written('nginx.conf', nginxConfig(port, backendPort, folder)),
    ]),
  ]
}

export function startBackend(): Promise<Child> {
  return startNode('backend', 0)
}

/** A script of `proxies/`, in front of that backend. */
export function startNode(name: string, backendPort: number, ...args: string[]): Promise<Child> {
  const script = fileURLToPath(new URL(`proxies/${name}.mjs`, import.meta.url))
  return Child.start((port) => [
    process.execPath,
    '--expose-gc',
    script,
    String(port),
    String(backendPort),
    ...args,
  ])
}

function found(
  command: string,
  versionFlag: string,
  args: (port: number, backendPort: number) => readonly string[],
): Peer[] {
  const { stdout, stderr, error } = spawnSync(command, [versionFlag], { encoding: 'utf8' })
  if (error) return []
  const [version = ''] = /\d+\.\d+\.\d+/.exec(stdout + stderr) ?? []
  return [
    {
      name: `${command} ${version}`,
      start: (backendPort) => Child.start((port) => [command, ...args(port, backendPort)]),
    },
  ]
}

function written(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
