import { configPath, shownPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { loadOnce } from './load-once.ts'
import { complain, say } from './report.ts'

/** `wslb check`: loads and validates; opens nothing. */
export async function check(flags: Flags): Promise<number> {
  let file: string | undefined
  try {
    const path = configPath(flags)
    file = shownPath(path)
    const { pools, listen } = await loadOnce(path, flags)
    const sizes = {
      pools: pools.length,
      backends: pools.flatMap((pool) => pool.backends).length,
      sources: pools.filter(({ source }) => source).length,
      listeners: listen.length,
    }
    const text = [
      counted(sizes.pools, 'pool'),
      ...(sizes.sources === 0 || sizes.backends > 0 ? [counted(sizes.backends, 'backend')] : []),
      ...(sizes.sources > 0 ? [counted(sizes.sources, 'source')] : []),
      counted(sizes.listeners, 'listener'),
    ]
    say(flags.json, `${file} is valid: ${text.join(', ')}`, { event: 'valid', file, ...sizes })
    return EXIT_OK
  } catch (error) {
    return complain(flags.json, error, file)
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
