export interface Traffic {
  readonly messages: number
  readonly bytes: number
}

/** What each node got from Redis, and all of them. */
export function table(
  names: readonly string[],
  broadcast: readonly Traffic[],
  targeted: readonly Traffic[],
): string {
  const all = [total(broadcast), total(targeted)] as const
  const rows = names.map((name, i) => row(name, broadcast[i]!, targeted[i]!))
  const share = `${Math.round((100 * all[1].bytes) / all[0].bytes)} % of the bytes`
  return [
    `${'got from Redis'.padEnd(14)} ${'broadcast to all'.padStart(26)} ${'sent to the right one'.padStart(26)}`,
    ...rows,
    `${row('all', ...all)}   ${share}`,
  ].join('\n')
}

function row(name: string, ...columns: readonly Traffic[]): string {
  const cells = columns.map(({ messages, bytes }) =>
    `${messages} messages ${(bytes / 1_000).toFixed(0).padStart(6)} kB`.padStart(26),
  )
  return [name.padEnd(14), ...cells].join(' ')
}

function total(nodes: readonly Traffic[]): Traffic {
  return nodes.reduce((sum, { messages, bytes }) => ({
    messages: sum.messages + messages,
    bytes: sum.bytes + bytes,
  }))
}
