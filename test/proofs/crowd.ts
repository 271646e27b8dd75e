import { until } from '../support/until.ts'
import { serve } from './child.ts'
import { PATIENCE } from './patience.ts'
import { Stalls } from './stalls.ts'
import { Talker, type TalkerOptions } from './talker.ts'

/** A process full of talkers. */

export interface CrowdOptions extends Omit<TalkerOptions, 'id'> {
  readonly count: number
  /** Milliseconds from one message of a talker to its next. */
  readonly every: number
}

/** Handshakes at once. */
const WIDTH = 50
const TICK = 10

let talkers: Talker[] = []
let timer: NodeJS.Timeout
const stalls = new Stalls()

/** Settles when all have been greeted, and talk. */
async function open({ count, every, ...options }: CrowdOptions): Promise<void> {
  talkers = Array.from({ length: count }, (_, id) => new Talker({ ...options, id }))
  const queue = talkers.values()
  const worker = async () => {
    for (const talker of queue) await talker.open()
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
  talk(every)
}

/** One timer for all: each tick lets as many speak as the time that has passed asks for. */
function talk(every: number): void {
  let last = performance.now()
  let due = 0
  let next = 0
  timer = setInterval(() => {
    const now = performance.now()
    due = Math.min(talkers.length, due + ((now - last) / every) * talkers.length)
    last = now
    for (; due >= 1; due--) talkers[next++ % talkers.length]!.say()
  }, TICK)
}

function state() {
  return {
    open: talkers.filter(({ isOpen }) => isOpen).length,
    closes: closes(),
    stall: stalls.longest,
    failures: talkers.flatMap(({ failures }) => failures),
  }
}

/** Settles when each of them has had so many echoes, in its present visit. */
function talked(echoes: number): Promise<void> {
  return until(() => talkers.every(({ visit }) => visit.echoed >= echoes), 'echoes', PATIENCE)
}

function closes(): number {
  return talkers.flatMap(({ visits }) => visits).filter(({ code }) => code !== undefined).length
}

/** Nobody speaks any more; settles when every echo has come. */
async function fallSilent(): Promise<void> {
  clearInterval(timer)
  await until(() => talkers.every(({ isOpen, isQuiet }) => !isOpen || isQuiet), 'every echo', PATIENCE)
}

const verbs = {
  open,
  state,
  talked,
  /** Settles when so many visits have ended. */
  closed: (count: number) => until(() => closes() >= count, `${count} closes`, PATIENCE),
  allOpen: () => until(() => talkers.every(({ isOpen }) => isOpen), 'all to be open', PATIENCE),
  fallSilent,
  leave: () => Promise.all(talkers.map((talker) => talker.leave())).then(() => {}),
  /** Of each talker, in order. */
  visits: () => talkers.map(({ visits }) => visits),
}

export type Crowd = typeof verbs

serve(verbs)
