import { stickyCookie } from '../sticky/cookie.ts'
import { PRESETS } from '../sticky/presets.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'
import { type StickyItem } from './pool-rule.ts'

/**
 * What the names in a `sticky` stand for. The cookie of presets comes once, after the last of them; not at all where the
 * list has a cookie already.
 * @param cookie name of the cookie
 */
export function strategiesOf(items: readonly StickyItem[], cookie: string): StickyStrategy[] {
  const hasCookie = items.some((item) => item === 'cookie' || (typeof item === 'object' && item.ownCookie))
  const lastWithCookie = hasCookie ? -1 : items.findLastIndex(wantsCookie)
  return items.flatMap((item, index) => {
    if (typeof item === 'object') return item
    if (item === 'cookie') return stickyCookie({ name: cookie })
    const strategies = PRESETS[item].strategies()
    return index === lastWithCookie ? [...strategies, stickyCookie({ name: cookie })] : strategies
  })
}

function wantsCookie(item: StickyItem): boolean {
  return typeof item === 'string' && item !== 'cookie' && PRESETS[item].cookie
}
