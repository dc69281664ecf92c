import type { ScriptSettings } from "./script"

/** How far ahead of the clock the horizon of a chunk is set. */
const HORIZON_MS = 16

/**
 * Writing usage entries, inside the step that moves the money: one `RPUSH` an entry.
 *
 * `…u:x:<chunk>` entries in the order of their writing, as a list. A chunk is named by the time at which it begins, and
 *                closed when it holds `chunkEntries` or is a quarter of the retention old, so that no key grows
 *                without bound and every chunk ends as a whole.
 * `…u:i`         the chunks, by time.
 * `…u:n`         the chunk that is written to: its horizon, whether it is full, and when it begins, as doubles, and its key.
 * `…u:b:<id>`    prompt and answer of an entry where they are too long for a chunk.
 * `…u:y:<chunk>` places by request, made when a request is first asked for in a chunk that is closed.
 *
 * An entry is two items of the list, because its text is then pushed as it came: making one long text of two costs more
 * than pushing it. The first is "at", with an "r" behind it where an expiry was taken back; the second a line "id revision"
 * with "cell charge" for each cell, and what `entry.ts` writes of the attempt. Both are "" when it was pruned. A place is the
 * chunk and the index of the first item in it, 12 bytes; the record of an id carries the place of its entry.
 *
 * Defines `knowChunk(meta)`, `tendChunk(base, chunkKey, length)` for after an entry was pushed, `appendEntry(base, text)`,
 * which returns the place, `readEntry(base, place, id)`, which returns nothing where it is gone, and
 * `rewriteEntry(base, place, id, text)` and `chargeEntry(base, place, id, cells, charges, taken)`, which say whether the entry was
 * still there: the one replaces its text, the other its revision and charges.
 * An entry is never earlier than the chunk it stands in, and a chunk begins after the latest entry of the one before,
 * also where the clock went back in between. That is why a chunk has a horizon, which no entry in it is later than: a little
 * ahead of the clock, so that it need not move with every entry. A chunk that is full is written to
 * until its horizon, which is sooner than reading all of it for its latest entry.
 */
export function luaLedger(settings: ScriptSettings): string {
  const keep = settings.ledgerRetentionMs
  const age = chunkAgeMs(settings)
  return `
local chunkName, chunkStart, chunkHorizon, chunkFull = '', 0, 0, 0
local function knowChunk(meta)
  if type(meta) == 'string' and #meta > 24 then
    chunkHorizon, chunkFull, chunkStart = struct.unpack('<ddd', meta)
    chunkName = string.format('%.0f', chunkStart)
  end
end
local function chunkEnds() return string.format('%.0f', chunkStart + ${keep + age}) end
local function storeChunk(base)
  call('SET', base .. 'u:n', struct.pack('<ddd', chunkHorizon, chunkFull, chunkStart) .. base .. 'u:x:' .. chunkName, 'PXAT', chunkEnds())
end
local function tendChunk(base, chunkKey, length)
  if length == 2 then
    call('PEXPIREAT', chunkKey, chunkEnds())
    call('ZADD', base .. 'u:i', chunkName, chunkName)
    call('PEXPIREAT', base .. 'u:i', chunkEnds())
  elseif length >= ${2 * settings.chunkEntries} and chunkFull == 0 then
    chunkFull = 1
    storeChunk(base)
  end
end
local function appendEntry(base, text)
  if chunkStart == 0 or now > chunkHorizon then
    if chunkStart == 0 or chunkFull == 1 or now > chunkStart + ${age} then
      chunkName, chunkStart, chunkFull = string.format('%.0f', now), now, 0
    end
    chunkHorizon = math.min(now + ${HORIZON_MS}, chunkStart + ${age})
    storeChunk(base)
  end
  local at = now
  if at < chunkStart then at = chunkStart end
  local chunkKey = base .. 'u:x:' .. chunkName
  local length = call('RPUSH', chunkKey, string.format('%.0f', at), text)
  tendChunk(base, chunkKey, length)
  return struct.pack('<dI4', chunkStart, length - 2)
end
local function readEntry(base, place, id)
  if #place ~= 12 then return nil end
  local start, index = struct.unpack('<dI4', place)
  if start == 0 then return nil end
  local chunk = string.format('%.0f', start)
  local items = call('LRANGE', base .. 'u:x:' .. chunk, index, index + 1)
  local at = string.match(items[1] or '', '^%d+')
  if not at or string.match(items[2] or '', '^[^ \\n]+') ~= id then return nil end
  return chunk, index, at, items[2]
end
local function storeEntry(base, chunk, index, first, text)
  call('LSET', base .. 'u:x:' .. chunk, index, first)
  call('LSET', base .. 'u:x:' .. chunk, index + 1, text)
end
local function rewriteEntry(base, place, id, text)
  local chunk, index, at = readEntry(base, place, id)
  if not chunk then return false end
  storeEntry(base, chunk, index, at, text)
  call('DEL', base .. 'u:y:' .. chunk)
  return true
end
local function chargeEntry(base, place, id, cells, charges, taken)
  local chunk, index, at, text = readEntry(base, place, id)
  if not chunk then return false end
  local line = string.find(text, '\\n', 1, true)
  local nextCharge = string.gmatch(charges, '%S+')
  local words = { id, nextCharge() }
  for cell in string.gmatch(cells, '(%S+) %S+') do
    words[#words + 1] = cell
    words[#words + 1] = nextCharge() or '0'
  end
  storeEntry(base, chunk, index, taken and at .. ' r' or at, table.concat(words, ' ') .. string.sub(text, line))
  return true
end`
}

/** How long one chunk is written to at most, and how long an entry may stay in memory after the retention. */
function chunkAgeMs(settings: ScriptSettings): number {
  return Math.ceil(settings.ledgerRetentionMs / 4)
}
