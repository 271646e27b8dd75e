import { script } from '../session/evaluator.ts'

/** Texts of ten characters: of the server's clock in microseconds, and never one twice, whatever that clock does. */
const TICK = `
local function tick(floor)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local last = tonumber(redis.call('GET', KEYS[2]) or '0', 36)
  now = math.max(now, last + 1, (tonumber(floor or '', 36) or 0) + 1)
  local text = ''
  for _ = 1, 10 do
    local digit = now % 36
    text = string.char(digit < 10 and 48 + digit or 87 + digit) .. text
    now = (now - digit) / 36
  end
  redis.call('SET', KEYS[2], text)
  return text
end
`

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

/** An entry of a room is connId, at (ten characters each), nodeId, a line feed, info. */
const NODE_OF = `
local function node_of(entry)
  return string.sub(entry, 21, string.find(entry, '\\n', 21, true) - 1)
end
`

/** KEYS nodes, epochs. ARGV nodeId, epoch, lease. */
export const BEAT = script(`${NOW}
local ended = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local roll = { ended > now and 1 or 0 }
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  roll[#roll + 1] = node
  roll[#roll + 1] = redis.call('HGET', KEYS[2], node) or ''
end
return roll
`)

/** KEYS nodes. ARGV nodeId. */
export const RETIRE = script(`return redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])`)

/**
 * KEYS nodes, clock, bucket, buckets of the node. ARGV clientId, nodeId, number of the bucket, connId or nothing.
 * An owner is connId, nodeId.
 */
export const CLAIM = script(`${TICK}
local held = redis.call('HGET', KEYS[3], ARGV[1])
local id = ARGV[4]
if id == '' then
  id = tick(held and string.sub(held, 1, 10))
else
  if held and string.sub(held, 1, 10) > id then return { held, false } end
  if id > (redis.call('GET', KEYS[2]) or '') then redis.call('SET', KEYS[2], id) end
end
local owner = id .. ARGV[2]
redis.call('HSET', KEYS[3], ARGV[1], owner)
redis.call('SETBIT', KEYS[4], ARGV[3], 1)
redis.call('ZADD', KEYS[1], 'NX', 0, ARGV[2])
return { owner, held ~= owner and held }
`)

/** KEYS bucket. ARGV clientId, owner. */
export const RELEASE = script(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
`)

/** KEYS nodes, bucket. ARGV clientId. */
export const LOCATE = script(`${NOW}
local owner = redis.call('HGET', KEYS[2], ARGV[1])
if not owner then return false end
local ends = tonumber(redis.call('ZSCORE', KEYS[1], string.sub(owner, 11)) or '0')
return ends > now and owner
`)

/** KEYS nodes, clock, room, rooms of the node. ARGV clientId, nodeId, info, connId or nothing, prefix, room. */
export const ENTER = script(`${TICK}${NODE_OF}
local held = redis.call('HGET', KEYS[3], ARGV[1])
local id = ARGV[4]
if id ~= '' and held then
  local other = string.sub(held, 1, 10)
  if other > id or (other == id and node_of(held) == ARGV[2]) then return held end
end
local at = tick(held and string.sub(held, 11, 20) or id)
if id == '' then id = at end
local entry = id .. at .. ARGV[2] .. '\\n' .. ARGV[3]
redis.call('HSET', KEYS[3], ARGV[1], entry)
redis.call('ZADD', KEYS[1], 'NX', 0, ARGV[2])
local before = held and node_of(held)
if before ~= ARGV[2] then
  redis.call('HINCRBY', KEYS[4], ARGV[6], 1)
  if before then
    local rooms = ARGV[5] .. before
    if redis.call('HINCRBY', rooms, ARGV[6], -1) <= 0 then redis.call('HDEL', rooms, ARGV[6]) end
  end
end
return entry
`)

/** KEYS room, rooms of the node. ARGV clientId, nodeId, connId, room. */
export const LEAVE = script(`${NODE_OF}
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held or string.sub(held, 1, 10) ~= ARGV[3] or node_of(held) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
if redis.call('HINCRBY', KEYS[2], ARGV[4], -1) <= 0 then redis.call('HDEL', KEYS[2], ARGV[4]) end
return 1
`)

/** KEYS nodes, room. */
export const MEMBERS = script(`${NOW}${NODE_OF}
local leased = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do leased[node] = true end
local found = {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if leased[node_of(all[i + 1])] then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  end
end
return found
`)

/**
 * KEYS nodes, epochs. ARGV limit, beginnings of the keys of buckets, of the buckets of a node, of rooms, of the rooms of a
 * node; then, of the call before, cursor, node and room. Replies cursor, node and room, then of each orphan its room,
 * client and entry without the info.
 */
export const SWEEP = script(`${NOW}${NODE_OF}
local limit = tonumber(ARGV[1])
local work = limit * 20
local found = { '', '', '' }

local function scan(node, room, cursor)
  local whole = cursor == '0'
  local any = false
  repeat
    local page = redis.call('HSCAN', ARGV[4] .. '{' .. room .. '}', cursor, 'COUNT', 100)
    cursor = page[1]
    local entries = page[2]
    for i = 1, #entries, 2 do
      if node_of(entries[i + 1]) == node then
        any = true
        found[#found + 1] = room
        found[#found + 1] = entries[i]
        found[#found + 1] = string.sub(entries[i + 1], 1, 20) .. node
      end
    end
    work = work - 20 - #entries / 2
  until cursor == '0' or work <= 0 or #found >= limit * 3
  if cursor == '0' then
    if whole and not any then redis.call('HDEL', ARGV[5] .. node, room) end
    return true
  end
  found[1], found[2], found[3] = cursor, node, room
  return false
end

local function forget_locations(node)
  local buckets = ARGV[3] .. node
  while work > 0 do
    local bucket = redis.call('BITPOS', buckets, 1)
    if bucket < 0 then
      redis.call('DEL', buckets)
      return true
    end
    local key = ARGV[2] .. bucket
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      if string.sub(all[i + 1], 11) == node then redis.call('HDEL', key, all[i]) end
    end
    redis.call('SETBIT', buckets, bucket, 0)
    work = work - 5 - #all / 2
  end
  return false
end

local function leases(node)
  return tonumber(redis.call('ZSCORE', KEYS[1], node) or '0') > now
end

if ARGV[6] ~= '0' and not leases(ARGV[7]) and not scan(ARGV[7], ARGV[8], ARGV[6]) then return found end
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 10)) do
  local rooms = ARGV[5] .. node
  if not forget_locations(node) then
    found[1], found[2] = '0', node
    return found
  end
  local cursor = '0'
  repeat
    local page = redis.call('HSCAN', rooms, cursor, 'COUNT', 10)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      if work <= 0 or #found >= limit * 3 then
        if found[1] == '' then found[1] = '0' end
        return found
      end
      if not scan(node, page[2][i], '0') then return found end
    end
  until cursor == '0'
  if redis.call('EXISTS', rooms) == 0 then
    redis.call('ZREM', KEYS[1], node)
    redis.call('HDEL', KEYS[2], node)
  end
end
return found
`)
