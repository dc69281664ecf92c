import { REPLY, type Script } from "./script"

/** Most index members that one step reads, and most chunks it looks into. */
export const SCAN_ENTRIES = 200
const SCAN_CHUNKS = 400

/**
 * One step through the entries of an index part, in order of (time, id).
 *
 * KEYS: 1 the chunks. ARGV: 1 part, 2 lower and 3 upper bound of what follows the part, with "[" or "(" before it,
 *       4 "1" for newest first, 5 first chunk to look into (its time; "-inf" or "+inf" to begin).
 * Reply: code, time of the chunk to go on with ("" at the end), then per entry: id, stored text.
 * Bounds are of the form `<15 digits>:<id>`.
 */
export function ledgerScanScript(): Script {
  const lua = `
local call = redis.call
local base = string.sub(KEYS[1], 1, -4)
local newest = ARGV[4] == '1'
local low, high = string.sub(ARGV[2], 1, 1) .. ARGV[1] .. ' ' .. string.sub(ARGV[2], 2), string.sub(ARGV[3], 1, 1) .. ARGV[1] .. ' ' .. string.sub(ARGV[3], 2)
-- A chunk begins with the time in its name: those that begin after the upper bound hold nothing of interest.
local last = tonumber(string.sub(ARGV[3], 2, 16)) or math.huge
local chunks
if newest then
  chunks = call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5])
  local reversed = {}
  for i = #chunks, 1, -1 do reversed[#reversed + 1] = chunks[i] end
  chunks = reversed
else
  chunks = call('ZRANGEBYSCORE', KEYS[1], ARGV[5], '+inf')
end
local reply = { ${REPLY.ok}, '' }
local left = ${SCAN_ENTRIES}
for i, chunk in ipairs(chunks) do
  if left <= 0 or i > ${SCAN_CHUNKS} then
    reply[2] = chunk
    break
  end
  if tonumber(chunk) <= last then
    local members
    if newest then
      members = call('ZREVRANGEBYLEX', base .. 'u:x:' .. chunk, high, low, 'LIMIT', 0, left)
    else
      members = call('ZRANGEBYLEX', base .. 'u:x:' .. chunk, low, high, 'LIMIT', 0, left)
    end
    if members[1] then
      local keys, ids = {}, {}
      local skip = #ARGV[1] + 18
      for j = 1, #members do
        ids[j] = string.sub(members[j], skip)
        keys[j] = base .. 'u:e:' .. ids[j]
      end
      local entries = call('MGET', unpack(keys))
      for j = 1, #members do
        reply[#reply + 1] = string.sub(members[j], #ARGV[1] + 2)
        reply[#reply + 1] = entries[j]
      end
      left = left - #members
      -- The step is full: the next one goes on in this chunk, behind the last member.
      if left <= 0 then
        reply[2] = chunk
        break
      end
    end
  end
end
return reply`
  return { name: "ledger-scan", lua }
}
