import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** Tells whether an address is one of those whose forwarding headers we believe. */
export type Trust = (address: string) => boolean

/** @param trusted addresses and CIDRs, already validated; or everybody; or nobody */
export function trustFor(trusted: boolean | readonly string[]): Trust {
  if (typeof trusted === 'boolean') return () => trusted
  const list = new BlockList()
  for (const entry of trusted) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) =>
    isIPv4(address) ? list.check(address, 'ipv4') : isIPv6(address) && list.check(address, 'ipv6')
}

/** IPv4 clients of a dual-stack socket appear as `::ffff:192.0.2.1` (RFC 4291 §2.5.5.2). */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address
}
