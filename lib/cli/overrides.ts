import { type Config, type ListenConfig } from '../config/config.ts'
import { type Flags } from './flags.ts'

const DEFAULT_PORT = 8080

/** The config as the command line wants it: `--port` and `--host` speak about the first listener. */
export function withFlags(config: Config, { port, host }: Pick<Flags, 'port' | 'host'>): Config {
  const [first = { port: DEFAULT_PORT }, ...others] = listenersOf(config.listen)
  // Somebody else may have written nonsense there: the validation of the config says so, not we.
  if (typeof first !== 'object' || first === null) return config
  return {
    ...config,
    listen: [
      { ...first, ...(port !== undefined && { port }), ...(host !== undefined && { host }) },
      ...others,
    ],
  }
}

function listenersOf(listen: Config['listen']): ListenConfig[] {
  if (listen === undefined) return []
  const list = Array.isArray(listen)
    ? (listen as (number | ListenConfig)[])
    : [listen as number | ListenConfig]
  return list.map((entry) => (typeof entry === 'number' ? { port: entry } : entry))
}
