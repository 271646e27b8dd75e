import { type Config, type ListenConfig } from '../config/config.ts'
import { type Flags } from './flags.ts'

const DEFAULT_PORT = 8080

/** The config as the command line wants it: `--port` and `--host` speak about the first listener. */
export function withFlags(config: Config, { port, host }: Pick<Flags, 'port' | 'host'>): Config {
  const override = { ...(port !== undefined && { port }), ...(host !== undefined && { host }) }
  // Somebody may have written nonsense there: that goes on to the validation as it is.
  const overridden = (listener: unknown = { port: DEFAULT_PORT }) => {
    if (typeof listener === 'number') return { port: listener, ...override }
    return isListenConfig(listener) ? { ...listener, ...override } : (listener as ListenConfig)
  }
  const { listen } = config
  if (!Array.isArray(listen)) return { ...config, listen: overridden(listen) }
  const [first, ...others] = listen as readonly (number | ListenConfig)[]
  return { ...config, listen: [overridden(first), ...others] }
}

function isListenConfig(listener: unknown): listener is ListenConfig {
  return typeof listener === 'object' && listener !== null
}
