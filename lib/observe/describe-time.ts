const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** Milliseconds in the two largest units that say something: `3 h 12 min`. */
export function describeTime(ms: number): string {
  let rest = Math.floor(ms / 1_000)
  const parts = UNITS.map(([unit, size]) => {
    const count = Math.floor(rest / size)
    rest %= size
    return { count, text: `${count} ${unit}` }
  })
  const first = parts.findIndex(({ count }) => count > 0)
  const said = parts.slice(first < 0 ? -1 : first).slice(0, 2)
  return said
    .filter(({ count }, index) => count > 0 || index === 0)
    .map(({ text }) => text)
    .join(' ')
}
