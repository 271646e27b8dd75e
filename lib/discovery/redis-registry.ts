import { type Discovered } from './discovered.ts'
import { type RedisClient } from './redis-client.ts'

export const DEFAULT_KEY = 'wslb:backends'

/**
 * Backends register themselves in one hash: id → `<expiry> <item as JSON>`. All times are those of the Redis server, so
 * that the clocks of hosts do not matter. A change is published on a channel named like the key.
 */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function expiry(entry) return tonumber(string.match(entry, '^%d+')) or 0 end
local function item(entry) return string.match(entry, '^%d+ (.*)$') end
`

/** @example EVAL … 1 key id item ttl */
const HEARTBEAT = `${NOW}
local id, text, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local before = redis.call('HGET', KEYS[1], id)
redis.call('HSET', KEYS[1], id, string.format('%d %s', now + ttl, text))
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  if expiry(entries[i + 1]) <= now then redis.call('HDEL', KEYS[1], entries[i]) end
end
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
if not before or expiry(before) <= now or item(before) ~= text then redis.call('PUBLISH', KEYS[1], id) end
`

const LEAVE = `
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then redis.call('PUBLISH', KEYS[1], ARGV[1]) end
`

/** @returns milliseconds to the first expiry, -1 when there is none; then the items */
const LIST = `${NOW}
local result, soonest = { -1 }, nil
local entries = redis.call('HGETALL', KEYS[1])
for i = 2, #entries, 2 do
  local at = expiry(entries[i])
  if at > now then
    result[#result + 1] = item(entries[i])
    if not soonest or at < soonest then soonest = at end
  end
end
if soonest then result[1] = soonest - now end
return result
`

export async function heartbeat(
  client: RedisClient,
  key: string,
  id: string,
  backend: Discovered,
  ttl: number,
): Promise<void> {
  await client.sendCommand(['EVAL', HEARTBEAT, '1', key, id, JSON.stringify(backend), String(ttl)])
}

export async function leave(client: RedisClient, key: string, id: string): Promise<void> {
  await client.sendCommand(['EVAL', LEAVE, '1', key, id])
}

export interface Registered {
  readonly backends: readonly Discovered[]
  /** Milliseconds until the first of them is gone if nothing is heard of it. */
  readonly nextExpiry: number
}

/** @throws Error when the key holds something else */
export async function registered(client: RedisClient, key: string): Promise<Registered> {
  const answer = (await client.sendCommand(['EVAL', LIST, '1', key])) as readonly unknown[]
  const [soonest, ...items] = answer
  const backends = items.map((item) => JSON.parse(String(item)) as Discovered)
  // The order of a hash means nothing.
  backends.sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
  return { backends, nextExpiry: Number(soonest) < 0 ? Infinity : Number(soonest) }
}
