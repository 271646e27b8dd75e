import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** Where the process that serves a config can be asked. */
export interface ControlAddress {
  /** Of a Unix domain socket, or of a named pipe. */
  readonly path: string
  /** The directory of the socket, which must be ours alone; a named pipe has none. */
  readonly directory: string | undefined
}

/** What the address depends on besides the config. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly env: NodeJS.ProcessEnv
  readonly temporary: string
}

/**
 * The process listens at the first one; whoever looks for it tries all: a service often lacks the `XDG_RUNTIME_DIR`
 * that the shell of the same user has.
 * @param config path of the config file; two paths to one file are one
 */
export function controlAddresses(
  config: string,
  { platform = process.platform, env = process.env, temporary = tmpdir() }: Partial<Surroundings> = {},
): [ControlAddress, ...ControlAddress[]] {
  const file = realPath(config)
  if (platform === 'win32') {
    const name = hash(`${userInfo().username}\0${file}`)
    return [{ path: `\\\\.\\pipe\\wslb-${name}`, directory: undefined }]
  }
  const at = (directory: string) => ({ directory, path: join(directory, `${hash(file)}.sock`) })
  const shared = at(join(temporary, `wslb-${process.getuid!()}`))
  const runtime = env.XDG_RUNTIME_DIR
  // A relative one is to be ignored (XDG Base Directory Specification).
  return runtime !== undefined && isAbsolute(runtime) ? [at(join(runtime, 'wslb')), shared] : [shared]
}

/** Short, because the whole path of a socket has little room. */
function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function realPath(file: string): string {
  try {
    return realpathSync.native(file)
  } catch {
    // It may be gone for a moment while the process runs on.
    return file
  }
}
