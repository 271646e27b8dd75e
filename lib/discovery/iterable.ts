import { untilAborted } from '../core/until-aborted.ts'
import { type SourceContext, type SourceOf } from './source.ts'

/** Lists as they come out of an async iterable, which can be gone through only once. */
export function iterable<Item>(lists: AsyncIterable<readonly Item[]>): SourceOf<Item> {
  let isOver = false
  return {
    name: 'iterable',
    watch(context) {
      if (isOver) return nothing(context)
      isOver = true
      return lists
    },
  }
}

async function* nothing({ signal, report }: SourceContext): AsyncGenerator<never> {
  report(new Error('it has ended'))
  await untilAborted(new Promise<never>(() => {}), signal)
}
