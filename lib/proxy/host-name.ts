import { isIPv6 } from 'node:net'

/** What has a port, an upper-case letter, a bracket or a last dot; nearly all hosts have none of it. */
const UNUSUAL = /[A-Z:[]|\.$/

/** The name in a `Host` without port and last dot, in lower case; of an IPv6 address its one short form, in brackets. */
export function hostName(host: string): string {
  if (!UNUSUAL.test(host)) return host
  if (isIPv6(host)) return shortForm(host)
  if (host.startsWith('[')) return shortForm(host.slice(1, host.lastIndexOf(']')))
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()
}

/** RFC 5952 §4, as URLs have it. */
function shortForm(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname : address
}
