/** Rows in columns as wide as they must be; numbers stand on the right. The first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows.map((row) => row.map(printable))
  const columns = head.map((title, index) => {
    const cells = body.map((row) => row[index]!)
    const width = Math.max(...[title, ...cells].map((cell) => cell.length))
    const isNumeric = cells.every((cell) => /^[\d ]+$/.test(cell))
    return (cell: string) => (isNumeric ? cell.padStart(width) : cell.padEnd(width))
  })
  return [head, ...body]
    .map((row) =>
      row
        .map((cell, index) => columns[index]!(cell))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** What clients send must not steer a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}
