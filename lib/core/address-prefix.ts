/** Leading bits that count. */
export interface PrefixLengths {
  readonly v4: number
  readonly v6: number
}

/**
 * The network of an IP address, e.g. `192.0.2.0/24` or `2001:db8:0:7/64`: one text for each network, however an address
 * in it is spelt. IPv4 in IPv6 (RFC 4291 §2.5.5.2) counts as IPv4.
 * @returns `undefined` for what is no address
 */
export function addressPrefix(address: string, { v4, v6 }: PrefixLengths): string | undefined {
  if (!address.includes(':')) return prefixOf4(wordsOf4(address), v4)
  const words = wordsOf6(address)
  if (!words) return undefined
  const isMapped = words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0)
  return isMapped ? prefixOf4(words.slice(6), v4) : prefixOf6(words, v6)
}

function prefixOf4(words: readonly number[] | undefined, bits: number): string | undefined {
  if (!words) return undefined
  const bytes = masked(words, bits).flatMap((word) => [word >> 8, word & 0xff])
  return `${bytes.join('.')}/${bits}`
}

function prefixOf6(words: readonly number[], bits: number): string {
  const text = masked(words, bits).slice(0, Math.ceil(bits / 16))
  return `${text.map((word) => word.toString(16)).join(':')}/${bits}`
}

function masked(words: readonly number[], bits: number): number[] {
  return words.map((word, index) => {
    const left = Math.min(16, Math.max(0, bits - 16 * index))
    return word & (0xffff << (16 - left))
  })
}

const OCTET = /^(?:0|[1-9]\d{0,2})$/

/** Two words of 16 bits. */
function wordsOf4(text: string): number[] | undefined {
  const octets = text.split('.')
  if (octets.length !== 4 || !octets.every((octet) => OCTET.test(octet) && Number(octet) < 256))
    return undefined
  const [a, b, c, d] = octets.map(Number) as [number, number, number, number]
  return [(a << 8) | b, (c << 8) | d]
}

/** Eight words of 16 bits; a zone (RFC 4007 §11) says nothing about the network of a client. */
function wordsOf6(text: string): number[] | undefined {
  const zone = text.indexOf('%')
  const [front = '', back, ...rest] = (zone < 0 ? text : text.slice(0, zone)).split('::')
  if (rest.length > 0) return undefined
  const head = groupsOf(front)
  const tail = groupsOf(back ?? '')
  if (!head || !tail) return undefined
  const missing = 8 - head.length - tail.length
  if (back === undefined ? missing !== 0 : missing < 1) return undefined
  return [...head, ...new Array<number>(missing).fill(0), ...tail]
}

const GROUP = /^[\da-f]{1,4}$/i

function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const words: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    if (GROUP.test(group)) words.push(parseInt(group, 16))
    else {
      const last = index === groups.length - 1 ? wordsOf4(group) : undefined
      if (!last) return undefined
      words.push(...last)
    }
  }
  return words
}
