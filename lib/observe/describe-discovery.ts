import { type DiscoveryFailedEvent, type DiscoveryUpdateEvent } from '../core/events.ts'

/** `chat from dns(chat.internal:3000): 2 added (10.0.0.1:3000, 10.0.0.2:3000), 1 removed (10.0.0.3:3000)`. */
export function describeUpdate({ pool, source, added, removed, changed }: DiscoveryUpdateEvent): string {
  const parts = [counted(added, 'added'), counted(removed, 'removed'), counted(changed, 'changed')]
  const said = parts.filter((part) => part !== '').join(', ')
  return `backends of ${pool} from ${source}: ${said || 'as they were'}`
}

export function describeFailure({ pool, source, kept, error }: DiscoveryFailedEvent): string {
  const state = kept === 0 ? `pool ${pool} has no backends yet` : `backends of ${pool} stay as they are`
  return `${state}: ${source}: ${error.message}`
}

function counted(ids: readonly string[], verb: string): string {
  return ids.length > 0 ? `${ids.length} ${verb} (${ids.join(', ')})` : ''
}
