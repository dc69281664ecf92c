import type { ScriptSettings } from "./script"

/**
 * Writing usage entries, inside the step that moves the money.
 *
 * `…u:e:<id>`   one entry: a line "at revision mark chunk", a line of index parts, a line of charges, the entry's JSON.
 * `…u:x:<chunk>` the index of a chunk, a sorted set without scores: "t", "q<request>", "u<user>", "c<client>", each
 *               followed by a space, the time in 15 digits, a colon and the id. A chunk holds a bounded number of
 *               entries and is named by the time of its first, so that no key grows without bound and the order of
 *               chunks is the order of time.
 * `…u:i`        the chunks, by time.
 * `…u:n`        the chunk that is written to: how many entries, its name, the time of its last entry, the time at
 *               which its end was last moved, as four doubles.
 *
 * Defines `writeEntry(base, id, old, meta, mark, revision, parts, charges, json)`, which returns the new `meta` (to be handed to the
 * next call and stored by `storeMeta`). `json` nil keeps what the entry says and changes its charges only. Time never
 * goes back in a ledger: an entry is as late as the one before it.
 */
export function luaLedger(settings: ScriptSettings): string {
  const keep = settings.ledgerRetentionMs
  const margin = Math.ceil(keep / 4)
  return `
local function writeEntry(base, id, old, meta, mark, revision, parts, charges, json)
  local entryKey = base .. 'u:e:' .. id
  if old then
    local at, chunk, oldParts, oldJson = string.match(old, '^(%d+) %S+ %S+ (%d+)\\n([^\\n]*)\\n[^\\n]*\\n(.*)$')
    if not at then return meta end
    if parts and parts ~= oldParts then
      local chunkKey = base .. 'u:x:' .. chunk
      local suffix = ' ' .. string.format('%015.0f', tonumber(at)) .. ':' .. id
      for part in string.gmatch(oldParts, '%S+') do call('ZREM', chunkKey, part .. suffix) end
      for part in string.gmatch(parts, '%S+') do call('ZADD', chunkKey, 0, part .. suffix) end
    end
    call('SET', entryKey, at .. ' ' .. revision .. ' ' .. mark .. ' ' .. chunk .. '\\n' .. (parts or oldParts) .. '\\n' .. charges
      .. '\\n' .. (json or oldJson), 'PXAT', string.format('%.0f', tonumber(at) + ${keep}))
    return meta
  end
  if not json then return meta end
  local count, chunk, last, moved = 0, now, now, -1
  if meta then count, chunk, last, moved = struct.unpack('<dddd', meta) end
  local at = now
  if at < last then at = last end
  if count >= ${settings.chunkEntries} and at > last then count, chunk, moved = 0, at, -1 end
  local name = string.format('%.0f', chunk)
  local chunkKey = base .. 'u:x:' .. name
  call('SET', entryKey, string.format('%.0f', at) .. ' ' .. revision .. ' ' .. mark .. ' ' .. name .. '\\n' .. parts .. '\\n'
    .. charges .. '\\n' .. json, 'PXAT', string.format('%.0f', at + ${keep}))
  local suffix = ' ' .. string.format('%015.0f', at) .. ':' .. id
  local members = {}
  for part in string.gmatch(parts, '%S+') do
    members[#members + 1] = 0
    members[#members + 1] = part .. suffix
  end
  call('ZADD', chunkKey, unpack(members))
  if at - moved > ${margin} or moved < 0 then
    local ends = string.format('%.0f', at + ${keep + 2 * margin})
    call('ZADD', base .. 'u:i', chunk, name)
    call('PEXPIREAT', base .. 'u:i', ends)
    call('PEXPIREAT', chunkKey, ends)
    moved = at
  end
  return struct.pack('<dddd', count + 1, chunk, at, moved)
end
local function storeMeta(base, meta)
  call('SET', base .. 'u:n', meta, 'PXAT', string.format('%.0f', now + ${keep + 2 * margin}))
end`
}
