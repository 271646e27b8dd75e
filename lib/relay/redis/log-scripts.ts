import { script } from '../session/evaluator.ts'

/** Seconds for which publishers and ids are remembered. Longer than any publisher repeats a message. */
const REMEMBERED = 600
/** What is known of a log outlives its entries so many times. */
const LIVES = 10
/** Epochs that are known of a log. */
const CHAIN = 16
/** Entries among which a repeated one is looked for. */
const LOOK_BACK = 256
/** Entries that are read from the stream at once, at most: the first steps are smaller, in case the entries are big. */
const STEP = 32
/** Entries of others that are taken out; where there are more, the log is emptied, and readers are told of a gap. */
const STRANGERS = 1000

/**
 * Begins both scripts: the log enters the epoch of the session, if it is another one.
 *
 * `s` is the epoch of the last session, `e` that of the log, `o` its last offset, `h` the chain of its epochs, each with the
 * offset it began behind, `n` how many entries are kept. What an older master had beyond that offset did not get here.
 */
const TURN = `
local meta, log, epoch, fence = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local known = redis.call('HMGET', meta, 's', 'e', 'o')
local session, label, top = known[1], known[2], tonumber(known[3] or 0)
if session ~= epoch then
  local chain = ''
  if session then
    local term, reached = tonumber(string.match(epoch, '^%d+')), tonumber(string.match(session, '^%d+'))
    if fence == '1' and term < reached then
      return redis.error_reply('FENCED the log is in epoch ' .. session .. ' already, ' .. epoch .. ' is over')
    end
    local links = {}
    for link in string.gmatch(redis.call('HGET', meta, 'h'), '[^,]+') do links[#links + 1] = link end
    chain = table.concat(links, ',', math.max(1, #links - ${CHAIN - 2})) .. ','
  end
  local time = redis.call('TIME')
  label = string.format('%s.%x%05x', epoch, time[1], time[2])
  redis.call('HSET', meta, 's', epoch, 'e', label, 'o', top, 'h', chain .. label .. ':' .. top)
  if not session then
    redis.call('EXPIRE', meta, ${REMEMBERED})
    redis.call('DEL', log)
  end
end
`

/**
 * KEYS: meta, log, publisher, then the key of each id.
 * ARGV: epoch, fence, pid, floor, number of the first entry, history length, history ttl, channel to publish to, for each
 * entry `1` if it has an id and `0` if not, the lengths of the bodies, then all bodies in one: each argument costs the client
 * more than the bytes in it.
 *
 * Answers the last number of the publisher if there is a hole, else the epoch of the log, the receivers, and for each entry
 * its offset: negative or 0 if it stands there already.
 */
export const APPEND = script(`${TURN}
local pid, floor, first, length, ttl = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local last = tonumber(redis.call('GET', KEYS[3]) or 0)
-- Or the publisher would believe that what was refused before is a duplicate of what came after it.
if first > math.max(last, floor - 1) + 1 then return last end

local found
local function repeated(seq)
  if not found then
    found = {}
    for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-', 'COUNT', ${LOOK_BACK})) do
      found[entry[2][2]] = tonumber(string.match(entry[1], '^%d+'))
    end
  end
  return found[pid .. ':' .. seq] or 0
end

-- A script that fails is not undone, and what is in the log already would be a duplicate when it is repeated.
if not redis.acl_check_cmd then
  -- Before Redis 7. What is empty is passed over.
  if last == 0 then redis.call('PUBLISH', ARGV[8], '') end
elseif not redis.acl_check_cmd('PUBLISH', ARGV[8], '') then
  return redis.error_reply('NOPERM this user may not publish to ' .. ARGV[8])
end

-- Others have appended to the log, or a script that ended halfway. Beyond the end nobody has read it.
local function makeRoom()
  local strangers = {}
  for _, entry in ipairs(redis.call('XRANGE', log, (top + 1) .. '-0', '+', 'COUNT', ${STRANGERS})) do
    strangers[#strangers + 1] = entry[1]
  end
  if #strangers == ${STRANGERS} then
    redis.call('DEL', log)
  else
    if #strangers > 0 then redis.call('XDEL', log, unpack(strangers)) end
    redis.call('XSETID', log, top .. '-18446744073709551615')
  end
end

local flags, answer, fresh, places, nextId = ARGV[9], { label, 0 }, {}, {}, 4
local i, from, bodies, offset = 0, 1, ARGV[11], top
for size in string.gmatch(ARGV[10], '%d+') do
  i = i + 1
  local seq, body, id, known = first + i - 1, string.sub(bodies, from, from + size - 1), nil, nil
  from = from + size
  if string.byte(flags, i) == 49 then
    id, nextId = KEYS[nextId], nextId + 1
    known = places[id] or redis.call('GET', id)
  end
  if seq <= last then
    answer[i + 2] = -repeated(seq)
  elseif known then
    answer[i + 2] = -tonumber(known)
  else
    offset = offset + 1
    answer[i + 2] = offset
    if id then places[id] = offset end
    fresh[#fresh + 1] = { offset, seq, body }
  end
end

for _, entry in ipairs(fresh) do
  if length == 0 then break end
  local add = { 'XADD', log, 'MAXLEN', '~', length, entry[1] .. '-0', 'i', pid .. ':' .. entry[2], 'd', entry[3] }
  local added = redis.pcall(unpack(add))
  if added.err and string.find(added.err, 'equal or smaller', 1, true) then
    makeRoom()
    added = redis.pcall(unpack(add))
  end
  if added.err then return added end
end
for id, place in pairs(places) do redis.call('SET', id, place, 'EX', ${REMEMBERED}) end
redis.call('SET', KEYS[3], math.max(last, first + i - 1), 'EX', ${REMEMBERED})
redis.call('HSET', meta, 'o', offset, 'n', length)
redis.call('PEXPIRE', meta, math.max(ttl * ${LIVES}, ${REMEMBERED} * 1000))
redis.call('PEXPIRE', log, ttl)
if #fresh > 0 then
  local frame = { label .. '|' .. pid .. '|' }
  for _, entry in ipairs(fresh) do
    frame[#frame + 1] = entry[1] .. '|' .. entry[2] .. '|' .. #entry[3] .. '|' .. entry[3]
  end
  answer[2] = redis.call('PUBLISH', ARGV[8], table.concat(frame))
end
return answer
`)

/**
 * KEYS: meta, log.
 * ARGV: epoch, fence, `now`, `start` or `trail`, entries at most, bytes at most, then epoch and offset of each mark.
 *
 * Answers the epoch of the log, the chain, the last offset, the offset it reads behind, first and last lost offset and
 * reason of the gap (empty for none), the offset of the first entry, then `pid:seq` and body of each.
 */
export const READ = script(`${TURN}
if redis.call('TTL', meta) < ${REMEMBERED} then redis.pcall('EXPIRE', meta, ${REMEMBERED}) end
local chain, oldest = redis.call('HGET', meta, 'h'), redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local first = math.min(oldest and tonumber(string.match(oldest[1], '^%d+')) or top + 1, top + 1)

local after, lost, last, reason = nil, 0, 0, ''
if ARGV[3] == 'now' then
  after = top
elseif ARGV[3] == 'start' then
  after = first - 1
else
  local boundaries = {}
  for link, offset in string.gmatch(chain, '([^,]+):(%d+)') do
    boundaries[#boundaries + 1] = { link, tonumber(offset) }
  end
  for i = 6, #ARGV, 2 do
    for place, boundary in ipairs(boundaries) do
      if boundary[1] == ARGV[i] then
        -- What the reader has beyond the end of that epoch did not survive.
        local offset, over = tonumber(ARGV[i + 1]), boundaries[place + 1]
        if over then after = math.min(offset, over[2]) elseif offset <= top then after = offset end
      end
    end
    if after then break end
  end
  if not after then
    after, reason = first - 1, 'unknown-epoch'
  elseif after + 1 < first then
    local enough = redis.call('XLEN', log) >= tonumber(redis.call('HGET', meta, 'n') or 0)
    lost, last, reason = after + 1, first - 1, enough and 'trimmed' or 'expired'
  end
end

local from, limit, bytes = math.max(after + 1, first), tonumber(ARGV[4]), tonumber(ARGV[5])
local answer, count, place, most = { label, chain, top }, 0, from .. '-0', 1
-- Somebody else has deleted them.
local function miss(to)
  if reason == '' then lost, reason = from, 'trimmed' end
  if lost > 0 then last = to else after = to end
  from = to + 1
end
while count < limit and bytes > 0 and from + count <= top and ARGV[3] ~= 'now' do
  local step = math.min(most, limit - count)
  most = math.min(most * 2, ${STEP})
  local part = redis.call('XRANGE', log, place, top .. '-0', 'COUNT', step)
  for _, entry in ipairs(part) do
    place = '(' .. entry[1]
    local offset, body = tonumber(string.match(entry[1], '^(%d+)%-0$')), entry[2][4]
    -- Between ours stands what others have appended.
    if offset and body then
      if offset > from + count then
        -- A slice has no hole: the next one begins with it.
        if count > 0 then limit = 0 break end
        miss(offset - 1)
      end
      if count > 0 and #body > bytes then limit = 0 break end
      answer[9 + 2 * count], answer[10 + 2 * count] = entry[2][2], body
      bytes, count = bytes - #body, count + 1
    end
  end
  if #part < step then
    if count == 0 then miss(top) end
    break
  end
end
answer[4], answer[5], answer[6], answer[7], answer[8] = after, lost, last, reason, from
return answer
`)
