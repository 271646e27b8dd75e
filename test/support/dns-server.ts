import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type Scope } from './balancer.ts'

/** A record: an address, or `priority weight port target`. */
export interface DnsRecord {
  readonly type: 'A' | 'AAAA' | 'SRV'
  readonly data: string
  /** Seconds. */
  readonly ttl?: number
}

export type DnsFate = 'SERVFAIL' | 'NXDOMAIN' | 'silent' | 'truncated'

const TYPES = { A: 1, SRV: 33, AAAA: 28 } as const
const RCODES: Partial<Record<DnsFate, number>> = { SERVFAIL: 2, NXDOMAIN: 3 }

/** A name server on UDP and TCP, which says what a test says; of what it does not know it says NXDOMAIN. */
export class DnsServer {
  readonly zone = new Map<string, readonly DnsRecord[]>()
  /** Of names, and of `name type`. */
  readonly fates = new Map<string, DnsFate>()
  /** `name type protocol` of every question. */
  readonly asked: string[] = []
  address = ''

  static async start(t: Scope): Promise<DnsServer> {
    const server = new DnsServer()
    const sockets = new Set<Socket>()
    const tcp = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('data', (data: Buffer) => {
        const answer = server.#answer(data.subarray(2), 'tcp')
        if (answer) socket.write(Buffer.concat([uint16(answer.length), answer]))
      })
    })
    const udp = await listenOnOnePort(tcp)
    udp.on('message', (query: Buffer, { port, address }: RemoteInfo) => {
      const answer = server.#answer(query, 'udp')
      if (answer) udp.send(answer, port, address)
    })
    t.teardown(() => {
      udp.close()
      tcp.close()
      for (const socket of sockets) socket.destroy()
    })
    server.address = `127.0.0.1:${(tcp.address() as AddressInfo).port}`
    return server
  }

  #answer(query: Buffer, protocol: 'udp' | 'tcp'): Buffer | undefined {
    const { name, type, end } = question(query)
    this.asked.push(`${name} ${type} ${protocol}`)
    const records = this.zone.get(name)
    const fate =
      this.fates.get(`${name} ${type}`) ?? this.fates.get(name) ?? (records ? undefined : 'NXDOMAIN')
    if (fate === 'silent') return undefined
    const isTruncated = fate === 'truncated' && protocol === 'udp'
    const answers =
      fate && fate !== 'truncated' ? [] : (records ?? []).filter((record) => record.type === type)
    const flags = 0x8180 | (isTruncated ? 0x0200 : 0) | (fate ? (RCODES[fate] ?? 0) : 0)
    const sent = isTruncated ? [] : answers
    return Buffer.concat([
      query.subarray(0, 2),
      ...[flags, 1, sent.length, 0, 0].map(uint16),
      query.subarray(12, end),
      ...sent.map(encode),
    ])
  }
}

function question(query: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  const code = query.readUInt16BE(at + 1)
  const type = Object.entries(TYPES).find(([, number]) => number === code)?.[0] ?? String(code)
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 }
}

function encode({ type, data, ttl = 60 }: DnsRecord): Buffer {
  const content =
    type === 'A' ? Buffer.from(data.split('.').map(Number)) : type === 'AAAA' ? ipv6(data) : srv(data)
  const time = Buffer.alloc(4)
  time.writeUInt32BE(ttl)
  // The name is that of the question.
  return Buffer.concat([
    uint16(0xc00c),
    uint16(TYPES[type]),
    uint16(1),
    time,
    uint16(content.length),
    content,
  ])
}

function ipv6(text: string): Buffer {
  const [head = '', tail] = text.split('::')
  const parts = (side: string) => side.split(':').filter((part) => part !== '')
  const [first, last] = [parts(head), parts(tail ?? '')]
  const zeros = Array<string>(tail === undefined ? 0 : 8 - first.length - last.length).fill('0')
  return Buffer.concat([...first, ...zeros, ...last].map((part) => uint16(parseInt(part, 16))))
}

function srv(data: string): Buffer {
  const [priority, weight, port, target = ''] = data.split(' ')
  const labels = target.split('.').filter((label) => label !== '')
  const name = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([...[priority, weight, port].map((n) => uint16(Number(n))), ...name, Buffer.from([0])])
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** A port that is free for TCP may be taken for UDP. */
async function listenOnOnePort(tcp: Server): Promise<UdpSocket> {
  for (;;) {
    tcp.listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const udp = createSocket('udp4')
    udp.bind((tcp.address() as AddressInfo).port, '127.0.0.1')
    try {
      await once(udp, 'listening')
      return udp
    } catch {
      udp.close()
      tcp.close()
      await once(tcp, 'close')
    }
  }
}
