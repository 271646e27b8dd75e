import { readFileSync } from 'node:fs'
import { ROOT } from './tree.ts'

const page = readFileSync(new URL('docs/relay.md', ROOT), 'utf8')

/** What the page of the relay says its users may do, with the prefix `w`: on the servers, on the Sentinels. */
export const aclLines = [...page.matchAll(/^ *user relay on >… (.*)$/gm)].map(([, rules]) => rules!)
