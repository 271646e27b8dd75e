import { writeFile } from 'node:fs/promises'
import { CONFIG_TEMPLATE } from './config-template.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { complain, say } from './report.ts'
import { ConfigError } from '../core/errors.ts'

/** `wslb init`: writes a config to start from; never over another one. */
export async function init({ config: file = 'lb.config.ts', json }: Flags): Promise<number> {
  try {
    await writeFile(file, CONFIG_TEMPLATE, { flag: 'wx' })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const what = code === 'EEXIST' ? 'is there already; nothing was written' : `cannot be written: ${message}`
    return complain(
      json,
      new ConfigError([{ path: '', message: what }], 'WSLB_CONFIG_INVALID', { cause }),
      file,
    )
  }
  say(json, `wrote ${file}; next: npx wslb start`, { event: 'init', file })
  return EXIT_OK
}
