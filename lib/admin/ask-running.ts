import { WslbError } from '../core/errors.ts'
import { ask, type AskOptions } from './ask.ts'
import { controlAddresses } from './control-address.ts'
import { findPrivateDirectory } from './private-directory.ts'

/**
 * Asks the `wslb start` that serves a config.
 * @throws WslbError `WSLB_NOT_RUNNING`, `WSLB_CONTROL`; Refused with what the process says
 */
export async function askRunning(config: string, verb: string, options?: AskOptions): Promise<object> {
  for (const { path, directory } of controlAddresses(config)) {
    if (directory !== undefined && !(await findPrivateDirectory(directory))) continue
    const result = await ask(path, verb, options)
    if (result) return result
  }
  throw new WslbError(
    'WSLB_NOT_RUNNING',
    `no wslb of this user serves ${config}; start one with "npx wslb start", or name its config with -c`,
  )
}
