import { luaNow, REPLY, type Script, type ScriptSettings } from "./script"

/** Most entries that one step looks at, and most chunks whose places by request it reads. */
const SCAN_ENTRIES = 1_024
const SCAN_CHUNKS = 500

/**
 * One step through the chunks: entries that hold every text that is looked for, in the order of their writing.
 *
 * KEYS: 1 the chunks. ARGV: 1 time or "", 2 first instant and 3 end of what is asked for, 4 "1" for newest first, 5 the
 *       chunk to go on behind or "", 6 the chunk to go on in or "", 7 from which entry of it, 8 a request as JSON writes it or "", then texts.
 * Reply: code, the chunk that was read ("" at the end), where to go on in it (-1: it is read to its end), then per entry its two items (`lua-ledger.ts`).
 * With a request, chunks that hold nothing of it are passed over, and places in closed chunks are made where they are missing.
 */
export function ledgerScanScript(settings: ScriptSettings): Script {
  const lua = `${luaNow()}
local base = string.sub(KEYS[1], 1, -4)
local from, to, newest, request = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[8]
local reply = { ${REPLY.ok}, '', -1 }
local function add(first, text)
  if not text or text == '' then return end
  local at = tonumber(string.match(first, '^%d+') or 0)
  if at + ${settings.ledgerRetentionMs} <= now then return end
  for i = 9, #ARGV do
    if not string.find(text, ARGV[i], 1, true) then return end
  end
  local length = #reply
  reply[length + 1], reply[length + 2] = first, text
end
local function nextChunk(after)
  if newest then
    if after ~= '' and tonumber(after) <= from then return nil end
    return call('ZREVRANGEBYSCORE', KEYS[1], '(' .. (after == '' and ARGV[3] or after), '-inf', 'LIMIT', 0, 1)[1]
  end
  local found
  if after == '' then
    -- The chunk that begins last before the first instant may hold it.
    found = call('ZREVRANGEBYSCORE', KEYS[1], ARGV[2], '-inf', 'LIMIT', 0, 1)[1]
    if not found then found = call('ZRANGEBYSCORE', KEYS[1], ARGV[2], '+inf', 'LIMIT', 0, 1)[1] end
  else
    found = call('ZRANGEBYSCORE', KEYS[1], '(' .. after, '+inf', 'LIMIT', 0, 1)[1]
  end
  if found and tonumber(found) >= to then return nil end
  return found
end
local function placesIn(chunk, places)
  local found = {}
  local items = call('LRANGE', base .. 'u:x:' .. chunk, 0, -1)
  for index = 2, #items, 2 do
    -- The request is what an attempt begins with.
    local name = string.match(items[index], '\\n@?%["([^"]*)"')
    if name then found[name] = (found[name] and found[name] .. ' ' or '') .. string.format('%d', index - 2) end
  end
  local fields = { '', '' }
  for text, indexes in pairs(found) do
    fields[#fields + 1] = text
    fields[#fields + 1] = indexes
    if #fields >= 1000 then
      call('HSET', places, unpack(fields))
      fields = { '', '' }
    end
  end
  call('HSET', places, unpack(fields))
  local left = call('PTTL', base .. 'u:x:' .. chunk)
  call('PEXPIRE', places, left > 0 and left or 1)
end
local chunk, offset = ARGV[6], tonumber(ARGV[7])
if chunk == '' then
  chunk, offset = nextChunk(ARGV[5]), 0
  if request ~= '' then
    local open = call('GET', base .. 'u:n')
    open = open and string.sub(open, 25 + #base + 4) or ''
    local made, passed = false, ''
    for i = 1, ${SCAN_CHUNKS} do
      if not chunk or chunk == open then break end
      local places = base .. 'u:y:' .. chunk
      local known = call('HMGET', places, request, '')
      if not known[2] then
        -- One a step, which is as much as this step may do. What is too long for that is read from end to end.
        if made or call('LLEN', base .. 'u:x:' .. chunk) > ${2 * SCAN_ENTRIES} then break end
        placesIn(chunk, places)
        made = true
        known = call('HMGET', places, request, '')
      end
      if known[1] or i == ${SCAN_CHUNKS} then
        for index in string.gmatch(known[1] or '', '%d+') do
          local items = call('LRANGE', base .. 'u:x:' .. chunk, index, index + 1)
          add(items[1], items[2])
        end
        reply[2] = chunk
        return reply
      end
      passed = chunk
      chunk = nextChunk(chunk)
    end
    if chunk and made then
      reply[2] = passed
      return reply
    end
  end
end
if not chunk then return reply end
local items = call('LRANGE', base .. 'u:x:' .. chunk, offset, offset + ${2 * SCAN_ENTRIES - 1})
for i = 1, #items, 2 do add(items[i], items[i + 1]) end
reply[2] = chunk
if #items == ${2 * SCAN_ENTRIES} then reply[3] = offset + ${2 * SCAN_ENTRIES} end
return reply`
  return { name: "ledger-scan", lua }
}
