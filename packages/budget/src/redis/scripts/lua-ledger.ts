import type { ScriptSettings } from "./script"

/**
 * Writing usage entries, inside the step that moves the money: one `RPUSH` an entry.
 *
 * `…u:x:<chunk>` entries in the order of their writing, as a list. A chunk is named by the time at which it begins, and
 *                closed when it holds `chunkEntries` or is a quarter of the retention old, so that no key grows
 *                without bound and every chunk ends as a whole.
 * `…u:i`         the chunks, by time.
 * `…u:n`         the chunk that is written to, as two doubles: its name, and its latest time once it is full.
 * `…u:p:<id>`    where the entry of an id without a resolved record stands: what `record` wrote.
 * `…u:b:<id>`    the whole JSON of an entry with a prompt or an answer that is too long for a chunk.
 * `…u:y:<chunk>` places by request, made when a request is first asked for in a chunk that is closed.
 *
 * An entry is a line "at id mark", a line of its revision and charges, a line of the cells (and what was reserved in
 * them), and its JSON; "" when it was pruned. A place is the
 * chunk and the index in it, 12 bytes; resolved records carry the place of their entry.
 *
 * Defines `knowChunk(meta)`, `tendChunk(base, chunkKey, count)` for after an entry was pushed, `appendEntry(base, line)`, which returns the place, and `rewriteEntry(base, place, id, head,
 * json)`, which says whether the entry was still there; `json` nil keeps what it says and changes its charges only.
 * An entry is never earlier than the chunk it stands in, and a chunk begins after the latest entry of the one before.
 */
export function luaLedger(settings: ScriptSettings): string {
  const keep = settings.ledgerRetentionMs
  const age = chunkAgeMs(settings)
  return `
local chunkStart, chunkFull = 0, 0
local function knowChunk(meta)
  if type(meta) == 'string' and #meta == 16 then chunkStart, chunkFull = struct.unpack('<dd', meta) end
end
local function chunkEnds() return string.format('%.0f', chunkStart + ${keep + age}) end
local function storeChunk(base)
  call('SET', base .. 'u:n', struct.pack('<dd', chunkStart, chunkFull), 'PXAT', chunkEnds())
end
local function latestIn(chunkKey)
  local latest = 0
  for _, line in ipairs(call('LRANGE', chunkKey, 0, -1)) do
    local at = tonumber(string.match(line, '^%d+') or 0)
    if at > latest then latest = at end
  end
  return latest
end
local function tendChunk(base, chunkKey, count)
  if count == 1 then
    call('PEXPIREAT', chunkKey, chunkEnds())
    call('ZADD', base .. 'u:i', chunkStart, string.format('%.0f', chunkStart))
    call('PEXPIREAT', base .. 'u:i', chunkEnds())
  elseif count >= ${settings.chunkEntries} and chunkFull == 0 then
    chunkFull = latestIn(chunkKey)
    storeChunk(base)
  end
end
local function appendEntry(base, line)
  if chunkStart == 0 or (chunkFull > 0 and now > chunkFull) or now > chunkStart + ${age} then
    local start = now
    if chunkStart > 0 then
      local latest = chunkFull
      if latest == 0 then latest = latestIn(base .. 'u:x:' .. string.format('%.0f', chunkStart)) end
      if start <= latest then start = latest + 1 end
    end
    chunkStart, chunkFull = start, 0
    storeChunk(base)
  end
  local at = now
  if at < chunkStart then at = chunkStart end
  local chunkKey = base .. 'u:x:' .. string.format('%.0f', chunkStart)
  local count = call('RPUSH', chunkKey, string.format('%.0f', at) .. ' ' .. line)
  tendChunk(base, chunkKey, count)
  return struct.pack('<dI4', chunkStart, count - 1)
end
local function rewriteEntry(base, place, id, head, json)
  if #place ~= 12 then return false end
  local start, index = struct.unpack('<dI4', place)
  if start == 0 then return false end
  local chunkKey = base .. 'u:x:' .. string.format('%.0f', start)
  local old = call('LINDEX', chunkKey, index)
  if not old then return false end
  local at, oldId, oldJson = string.match(old, '^(%d+) (%S+) [^\\n]*\\n[^\\n]*\\n[^\\n]*\\n(.*)$')
  if oldId ~= id then return false end
  call('LSET', chunkKey, index, at .. ' ' .. head .. (json or oldJson))
  if json then call('DEL', base .. 'u:y:' .. string.format('%.0f', start)) end
  return true
end`
}

/** How long one chunk is written to at most, and how long an entry may stay in memory after the retention. */
export function chunkAgeMs(settings: ScriptSettings): number {
  return Math.ceil(settings.ledgerRetentionMs / 4)
}

/** The place of no entry. */
export const NO_PLACE = "string.rep('\\0', 12)"
