import { openSync, writeSync } from 'node:fs'
import { type Position } from '../../../lib/relay/index.ts'
import { Node, type NodeOptions } from './node.ts'
import { monotonicNow } from './record.ts'

// A node in a process of its own, to be killed. What it meets it writes down at once.

export interface Part {
  readonly node: NodeOptions
  /** Where it writes. */
  readonly file: string
  readonly from?: Position | 'now'
  /** Messages a second. */
  readonly rate?: number
}

const part = JSON.parse(process.argv[2]!) as Part
const file = openSync(part.file, 'a')
const node = new Node(part.node, (happened) =>
  writeSync(file, `${JSON.stringify({ ...happened, at: monotonicNow() })}\n`),
)
process.on('disconnect', () => process.exit())
if (part.from !== undefined) await node.listen(part.from)
if (part.rate !== undefined) node.publish(part.rate)
