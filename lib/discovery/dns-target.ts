import { isIP } from 'node:net'
import { ConfigError, messageOf } from '../core/errors.ts'

export interface ServiceName {
  /** Name of SRV records. */
  readonly srv: string
  /** How its backends are spoken to. @default 'http' */
  readonly protocol?: 'http' | 'https'
}

export type DnsName = string | ServiceName

/** A name whose addresses are the backends. */
export interface AddressTarget {
  readonly label: string
  readonly protocol: 'http:' | 'https:'
  readonly name: string
  /** Empty: that of the protocol. */
  readonly port: string
}

/** A name whose SRV records say which names and ports. */
export interface ServiceTarget {
  readonly label: string
  readonly protocol: 'http:' | 'https:'
  readonly service: string
}

/** @throws ConfigError when it is neither */
export function dnsTarget(name: DnsName): AddressTarget | ServiceTarget {
  if (typeof name === 'object' && name !== null) return serviceTarget(name)
  const text = typeof name === 'string' && !name.includes('://') ? `http://${name}` : name
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const { protocol, hostname, port, pathname, search, username, password } = url ?? {}
  const isPlain = pathname === '/' && search === '' && username === '' && password === ''
  if ((protocol !== 'http:' && protocol !== 'https:') || !hostname || !isPlain) {
    throw wrong(
      `got ${messageOf(name)}; expected a name like "chat.internal:3000" or "https://chat.internal"`,
    )
  }
  if (isIP(hostname.replace(/^\[|\]$/g, '')) > 0) {
    throw wrong(`got ${messageOf(name)}; an address needs no DNS: write it into backends`)
  }
  return { label: String(name), protocol, name: hostname, port: port! }
}

function serviceTarget({ srv, protocol = 'http' }: ServiceName): ServiceTarget {
  if (typeof srv !== 'string' || !/^_[\w-]+\._[\w-]+(\.[\w-]+)+\.?$/.test(srv)) {
    throw wrong(`got ${messageOf(srv)}; expected the name of a service like "_ws._tcp.example.com"`)
  }
  if (protocol !== 'http' && protocol !== 'https') {
    throw wrong(`got protocol ${messageOf(protocol)}; expected "http" or "https"`)
  }
  return { label: srv, protocol: `${protocol}:`, service: srv }
}

function wrong(message: string): ConfigError {
  return new ConfigError([{ path: 'dns', message }])
}
