import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { withoutRedis } from '../../support/redis-server.ts'
import { ROOT } from '../../support/tree.ts'
import { type Guarantee, type Verdict } from './checker.ts'
import { type Schedule } from './mutant-program.ts'

// A suite that stays green without a mechanism does not test it.

interface Mutation {
  readonly takesAway: string
  readonly file: string
  readonly text: string
  readonly becomes: string
  readonly schedule: Schedule
  readonly breaks: Guarantee
}

const MUTATIONS: readonly Mutation[] = [
  {
    takesAway: 'the rule of strict sequence',
    file: 'lib/relay/redis/log-scripts.ts',
    text: 'if first > math.max(last, floor - 1) + 1 then return last end',
    becomes: '',
    schedule: 'flushed',
    breaks: 'G2',
  },
  {
    takesAway: 'the rewind to where an epoch ended',
    file: 'lib/relay/redis/log-scripts.ts',
    text: 'if over then after = math.min(offset, over[2]) ',
    becomes: 'if over then after = offset ',
    schedule: 'restored',
    breaks: 'G1',
  },
  {
    takesAway: 'the check that WAIT was answered in the epoch of the message',
    file: 'lib/relay/delivery/replication.ts',
    text: 'if (this.#session !== session || session.signal.aborted) return',
    becomes: '',
    schedule: 'lateConfirmation',
    breaks: 'G2',
  },
  {
    takesAway: 'the wait for the leases of others',
    file: 'lib/relay/redis/sentinel-quorum.ts',
    text: 'return since + (this.#lease ?? 0)',
    becomes: 'return since',
    schedule: 'leasesOfOthers',
    breaks: 'G6',
  },
  {
    takesAway: 'the majority of the Sentinels, by the first that answers',
    file: 'lib/relay/redis/sentinel-quorum.ts',
    text: 'this.#quorum = Math.floor(count / 2) + 1',
    becomes: 'this.#quorum = 1',
    schedule: 'firstAnswer',
    breaks: 'G6',
  },
]

const PARTS = ['lib/core', 'lib/relay', 'test/relay/faults', 'test/support', 'examples/support']

/** The library and its faults once more, in a folder from which the packages are found. */
function copyOf(t: Test): string {
  const root = fileURLToPath(ROOT)
  mkdirSync(join(root, 'test/.mutants'), { recursive: true })
  const copy = mkdtempSync(join(root, 'test/.mutants/m-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  const filter = (path: string) => !path.endsWith('.test.ts')
  for (const part of PARTS) cpSync(join(root, part), join(copy, part), { recursive: true, filter })
  return copy
}

/** Always from source, which is what the texts are of. */
async function play(t: Test, copy: string, schedule: Schedule): Promise<Verdict['broken']> {
  const program = join(copy, 'test/relay/faults/mutant-program.ts')
  const child = fork(program, [schedule], { execArgv: ['--import=tsx'] })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const broken = await Promise.race([once(child, 'message'), exited.then(() => [undefined])])
  await exited
  if (broken[0] === undefined) throw new Error(`${schedule} has come to no verdict`)
  return broken[0] as Verdict['broken']
}

t.setTimeout(300_000)

const skip = withoutRedis

for (const { takesAway, file, text, becomes, schedule, breaks } of MUTATIONS) {
  t.test(`${schedule} breaks ${breaks} without ${takesAway}, and nothing with it`, { skip }, async (t) => {
    const [whole, mutant] = [copyOf(t), copyOf(t)]
    const source = readFileSync(join(mutant, file), 'utf8')
    t.equal(source.split(text).length, 2, `${file} has the text once`)
    writeFileSync(
      join(mutant, file),
      source.replace(text, () => becomes),
    )
    const [right, wrong] = await Promise.all([play(t, whole, schedule), play(t, mutant, schedule)])
    t.strictSame(right, [])
    const found = wrong.some(({ guarantee }) => guarantee === breaks)
    t.ok(found, `${wrong.length} broken: ${JSON.stringify(wrong.slice(0, 3))}`)
  })
}
