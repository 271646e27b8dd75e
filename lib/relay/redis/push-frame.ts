import { isFleetingPid } from '../session/fleeting-pid.ts'
import { type Entry, type Pushed } from '../session/entry.ts'

const BAR = 0x7c

/**
 * What is published: `epoch|pid|`, then for each entry `offset|seq|length|` and as many bytes of body. The append script
 * writes the same.
 */
export function frameOf(epoch: string, { pid, seq, body }: Omit<Entry, 'offset'>): Buffer {
  return Buffer.concat([Buffer.from(`${epoch}|${pid}|0|${seq}|${body.length}|`, 'latin1'), body])
}

/** The bodies are parts of the frame, not copies. What is no frame of ours is passed over. */
export function readFrame(frame: Buffer, each: (entry: Pushed) => void): void {
  let at = 0
  const word = () => {
    const end = frame.indexOf(BAR, at)
    const text = frame.toString('latin1', at, end)
    at = end < 0 ? frame.length : end + 1
    return text
  }
  const epoch = word()
  const pid = word()
  while (at < frame.length) {
    const [offset, seq, length] = [Number(word()), Number(word()), Number(word())]
    // Whoever may publish to Redis can publish anything. What is in no log is not checked against one.
    const least = isFleetingPid(pid) ? 0 : 1
    const sound = isCount(offset, least) && isCount(seq, 1) && isCount(length, 0)
    if (!sound || at + length > frame.length) return
    each({ epoch, pid, offset, seq, body: frame.subarray(at, (at += length)) })
  }
}

function isCount(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least
}
