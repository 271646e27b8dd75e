export interface Column {
  readonly name: string
  readonly unit: 'µs' | 'KiB'
}

/** Peer → column → one figure a round. */
export type Figures = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>

/** Medians over the rounds, each with its ratio to the first peer. */
export function markdownTable(figures: Figures, columns: readonly Column[]): string {
  const [reference] = figures.values()
  const rows = [...figures].map(([peer, cells]) => [
    peer,
    ...columns.map(({ name, unit }) => {
      const figure = median(cells.get(name)!)
      return `**${ratio(figure, median(reference!.get(name)!))}** (${figure.toFixed(figure < 10 ? 1 : 0)} ${unit})`
    }),
  ])
  return [['', ...columns.map(({ name }) => name)], ['---', ...columns.map(() => '---:')], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

function ratio(figure: number, reference: number): string {
  return (figure / reference).toFixed(2)
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** What the share `q` of the values is below, between two of them if need be. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = q * (sorted.length - 1)
  const below = Math.floor(place)
  const lower = sorted[below]!
  const upper = sorted[below + 1] ?? lower
  return lower + (place - below) * (upper - lower)
}
