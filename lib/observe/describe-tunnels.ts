import { type BackendTunnelsEvent } from '../core/events.ts'
import { seconds } from './seconds.ts'
import { thousands } from './thousands.ts'

/** What becomes of the tunnels of a down backend: `4 tunnels asked, 1 answers, 3 closing over 5 s`. */
export function describeTunnels({ onDown, kept, closing, over }: BackendTunnelsEvent): string {
  const all = `${thousands(kept + closing)} ${kept + closing === 1 ? 'tunnel' : 'tunnels'}`
  if (onDown !== 'drain') return `${all} ${onDown === 'cut' ? 'cut' : 'kept'}`
  const [answer, live] = kept === 1 ? ['answers', 'lives'] : ['answer', 'live']
  const fate = closing === 0 ? ` and ${live} on` : `, ${thousands(closing)} closing over ${seconds(over)}`
  return `${all} asked, ${thousands(kept)} ${answer}${fate}`
}
