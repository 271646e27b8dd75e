import { type Only, type Recorded } from './record.ts'
import { type Listening, Run, type Sent } from './run.ts'

export type Guarantee = 'G1' | 'G2' | 'G3' | 'G4' | 'G5' | 'G6'

export interface Verdict {
  /** What was promised and not kept. */
  readonly broken: readonly { readonly guarantee: Guarantee; readonly what: string }[]
  readonly sent: number
  readonly accepted: number
  readonly delivered: number
  readonly gaps: number
  /** Deliveries from tails that did not survive. */
  readonly ghosts: number
}

/** What the relay of the run was told. */
export interface Promised {
  readonly graceMs: number
}

/** Judges a run by its record alone, see docs/relay.md for what G1 to G6 say. */
export function check(record: readonly Recorded[], { graceMs }: Promised): Verdict {
  const run = new Run(record)
  const listening = [...run.listening.values()]
  const found: [Guarantee, readonly string[]][] = [
    ['G1', listening.flatMap((one) => silentlyLost(run, one))],
    ['G2', confirmedAndGone(run, graceMs)],
    ['G3', listening.flatMap((one) => doubled(run, one))],
    ['G4', [...listening.flatMap((one) => outOfOrder(run, one)), ...ambiguousPlaces(run)]],
    [
      'G5',
      run
        .of('usage')
        .filter(({ used, limit }) => used > limit)
        .map(({ what, used, limit }) => `${what}: ${used} of ${limit}`),
    ],
    ['G6', mastersAtOnce(run.of('use'))],
  ]
  return {
    broken: found.flatMap(([guarantee, all]) => all.map((what) => ({ guarantee, what }))),
    sent: run.messages.size,
    accepted: run.accepted.length,
    delivered: run.deliveries,
    gaps: run.gaps,
    ghosts: run.of('deliver').filter((delivery) => run.ghostly(delivery)).length,
  }
}

function silentlyLost(run: Run, { subscriber, channel, since, met }: Listening): string[] {
  const delivered = new Set(met.map((one) => (one.kind === 'deliver' ? one.id : undefined)))
  const announced = met.flatMap((one, i) =>
    one.kind === 'gap' ? [{ gap: one, next: met.slice(i).find((later) => later.kind === 'deliver') }] : [],
  )
  return run.accepted
    .filter(({ intent }) => intent.channel === channel && intent.at > since && !delivered.has(intent.id))
    .filter((sent) => !announced.some(({ gap, next }) => covers(gap, next, sent)))
    .map(({ intent }) => `${subscriber} has not got ${intent.id}, and was not told`)
}

/** @param next what the subscriber got after the gap */
function covers(gap: Only<'gap'>, next: Only<'deliver'> | undefined, { intent, places }: Sent): boolean {
  if (intent.at > gap.at) return false
  const to = gap.to || (next ? next.offset - 1 : Infinity)
  if (places.some(({ offset }) => offset >= gap.from && offset <= to)) return true
  return gap.reason === 'unknown-epoch' && places.every(({ epoch }) => epoch !== next?.epoch)
}

function confirmedAndGone(run: Run, graceMs: number): string[] {
  const died = new Map(run.of('died').map(({ publisher, at }) => [publisher, at]))
  const wiped = run.of('wiped')
  return [...run.messages.values()]
    .filter(({ ack, surviving }) => ack && surviving === undefined)
    .filter(({ intent, ack }) => {
      const death = died.get(intent.publisher)
      const repeatable = ack!.at + graceMs
      return !(death !== undefined && death < repeatable) && !wiped.some(({ at }) => at > repeatable)
    })
    .map(({ intent, ack }) => `${intent.id} was confirmed (${ack!.replicas} replicas), and is not in the log`)
}

function doubled(run: Run, { subscriber, met }: Listening): string[] {
  const seen = new Set<string>()
  return met.flatMap((one) => {
    if (one.kind === 'gap') return []
    const again = seen.has(one.id)
    seen.add(one.id)
    if (!run.messages.has(one.id)) return [`${subscriber} got ${one.id}, which nobody has published`]
    return again ? [`${subscriber} got ${one.id} twice`] : []
  })
}

function outOfOrder(run: Run, { subscriber, met }: Listening): string[] {
  const lastOf = new Map<string, number>()
  const within = new Map<string, number>()
  let surviving = 0
  return met.flatMap((one) => {
    if (one.kind === 'gap') return []
    const sent = run.messages.get(one.id)
    const problems = []
    const { publisher = '', n = 0 } = sent?.intent ?? {}
    if (n < (lastOf.get(publisher) ?? 0))
      problems.push(`${subscriber} got ${one.id} after a later one of ${publisher}`)
    lastOf.set(publisher, n)
    if (one.offset <= (within.get(one.epoch) ?? 0))
      problems.push(`${subscriber} got ${one.id} after what follows it in the log of ${one.epoch}`)
    within.set(one.epoch, one.offset)
    if (sent?.surviving !== undefined && !run.ghostly(one)) {
      if (sent.surviving < surviving)
        problems.push(`${subscriber} got ${one.id} after what follows it in the surviving log`)
      surviving = sent.surviving
    }
    return problems
  })
}

/** In one epoch one place holds one message, whoever asks. */
function ambiguousPlaces(run: Run): string[] {
  const holders = new Map<string, string>()
  return run.of('deliver').flatMap(({ channel, epoch, offset, id }) => {
    const place = `${channel} ${epoch} ${offset}`
    const holder = holders.get(place) ?? id
    holders.set(place, holder)
    return holder === id ? [] : [`${holder} and ${id} both stood at ${place}`]
  })
}

function mastersAtOnce(uses: readonly Only<'use'>[]): string[] {
  return uses.flatMap((one, i) =>
    uses
      .slice(i + 1)
      .filter((other) => other.master !== one.master && other.first <= one.last && one.first <= other.last)
      .map((other) => {
        const overlap = Math.min(one.last, other.last) - Math.max(one.first, other.first)
        return `${one.node} used ${one.master} and ${other.node} ${other.master} for ${Math.round(overlap)} ms`
      }),
  )
}
