/** What servers read in different ways: escapes, `\`, `;`, empty segments, dot segments. Nearly no path has any of it. */
const UNUSUAL = /[%\\;]|\/(?:\/|\.\.?(?:\/|$))/

/** Whether there may be more than one reading of this path. */
export function isUnusual(path: string): boolean {
  return UNUSUAL.test(path)
}

/**
 * A path without escapes, which say the same as what they stand for (RFC 3986 §6.2.2); but not to all servers for a
 * slash, a backslash and the percent sign. Characters beyond ASCII become their bytes, as Node has them in a request.
 */
export function decodedPath(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%([\da-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16))
    return '/\\%'.includes(character) ? escape.toUpperCase() : character
  })
}

/** What some server does with a path before it looks at it; each may come after those before it. */
const REREADINGS: readonly ((path: string) => string)[] = [
  // `new URL(path, base)`, as many a WebSocket server has it: what begins with two slashes begins with a host.
  (path) => path.replace(/^[/\\]{2,}[^/\\]*/, '') || '/',
  (path) => path.replace(/%2F|%5C|\\/g, '/'),
  // Servlet containers.
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/\/{2,}/g, '/'),
  withoutDotSegments,
]

/** Every way in which a server may read this path, the plainest first: a few dozen at most, mostly one. */
export function readingsOf(path: string): readonly string[] {
  const decoded = decodedPath(path)
  if (!isUnusual(decoded)) return [decoded]
  const readings = new Set([decoded])
  for (const reread of REREADINGS) for (const reading of [...readings]) readings.add(reread(reading))
  return [...readings]
}

/** RFC 3986 §5.2.4. */
function withoutDotSegments(path: string): string {
  const segments = path.split('/').slice(1)
  const kept: string[] = []
  for (const segment of segments) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  const last = segments.at(-1)
  if (last === '.' || last === '..') kept.push('')
  return `/${kept.join('/')}`
}
