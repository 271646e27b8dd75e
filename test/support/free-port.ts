import { freePorts } from '../../examples/support/free-ports.ts'

/** A port that nobody listens on, for those who must know it before they do. */
export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!
}
