import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test } from 'tap'
import { type Clock, systemClock } from '../../lib/core/clock.ts'
import { type Config } from '../../lib/config/config.ts'
import { ConfigFile } from '../../lib/config/config-file.ts'

type Tree = Parameters<Test['testdir']>[0]

/** Four times as fast as life. */
const hurry = { ...systemClock, schedule: (ms: number, run: () => void) => systemClock.schedule(ms / 4, run) }

/** A config file that is being watched, and what came of its reloads. */
export async function watched(
  t: Test,
  files: Tree,
  apply: (config: Config) => unknown = () => {},
  clock: Clock = hurry,
) {
  const dir = t.testdir(files)
  // Neither the watcher nor its timers keep the process alive.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(alive))
  const news: string[] = []
  const waiting: (() => void)[] = []
  const tell = (text: string) => {
    news.push(text)
    for (const wake of waiting.splice(0)) wake()
  }
  const source = new ConfigFile(join(dir, 'lb.config.ts'), {
    clock,
    apply: async (config) => {
      await apply(config)
      tell(JSON.stringify(config.backends))
    },
    onReject: (_error, explanation) => tell(explanation.replaceAll(`${dir}/`, '')),
    onWatchError: (error) => tell(String(error)),
  })
  t.teardown(() => source.close())
  const first = await source.load()
  source.watch()
  async function heard(count: number): Promise<string> {
    while (news.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
    return news[count - 1]!
  }
  /** Makes a change and waits for it, so that everything before it must have been noticed too. */
  const flush = async (): Promise<string> => {
    const before = news.length
    writeFileSync(join(dir, 'lb.config.ts'), backends(`flush-${before}`))
    return heard(before + 1)
  }
  return {
    dir,
    source,
    first,
    news,
    /** Resolves with the news number `count`. */
    heard,
    write: (name: string, text: string) => writeFileSync(join(dir, name), text),
    flush,
  }
}

export function backends(...names: string[]): string {
  return `export default { backends: ${JSON.stringify(names)} }`
}
