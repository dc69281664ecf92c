import { LUA_CELL_END, LUA_MAX, LUA_NO_CELL, luaReadCell, luaWriteCell } from "./lua-cell"
import { luaLedger } from "./lua-ledger"
import { LUA_NOWHERE, luaIsNoted } from "./lua-record"
import { luaNow, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Replaces what is reserved or charged under an id by the truth.
 *
 * KEYS: 1 leases, 2 the id's record, 3… the cells. Names of the ledger's keys are made here of the first, which costs less
 *       than sending them with every call; all of them share the hash tag.
 * ARGV: 1 texts, each with a NUL behind it: time or "", "c" (commit) or "f" (free: release), revision,
 *       end of the lease or "n", then per cell: reserved, amount, life (`lua-cell.ts`) or "k": the cell keeps the end it has, and is
 *       not made again; 2 fingerprint, cells and what was reserved in them ({@link heldHead}); 3 revision and charges
 *       ({@link chargeLine}); with an entry, 4 its text (`entry.ts`), and 5 prompt and answer where that is without them.
 * Reply: bytes, of code, late and recovered one each, now, then per cell: as it is and as it was (`lua-cell.ts`).
 *        Or, with nothing written, a list: corrupt, and which cell, 0 for the record; or, where the id's own cells are others
 *        (a retry after midnight), that code, a line of them and what was reserved, and a line of their charges and lives,
 *        which is empty once the id is resolved.
 */
export function settleScript(settings: ScriptSettings & { ledger: boolean }): Script {
  // Before the cells, `stored` has the record and, with a ledger, the open chunk.
  const before = settings.ledger ? 2 : 1
  const openChunk = settings.ledger ? "base .. 'u:n', " : ""
  const lua = `
local given, outcome, revised, expiresAt, at = struct.unpack('ssss', ARGV[1])
${luaNow("given")}
${LUA_MAX}
${LUA_NO_CELL}
${LUA_NOWHERE}
local leases, key = KEYS[1], KEYS[2]
local id = string.sub(key, #leases + 2)
local count = #KEYS - 2
local base = string.sub(leases, 1, -2)
local release = outcome == 'f'
-- Of a key of another type this says that it is absent, so that what is absent is looked at once more.
local stored = call('MGET', key, ${openChunk}unpack(KEYS, 3))
local known = stored[1] or pcall('GET', key)
if known and type(known) ~= 'string' then return { ${REPLY.corrupt}, 0 } end
local head = ARGV[2]
local mine = string.sub(head, 1, string.find(head, '\\n', 1, true))
local code, late, recovered = ${REPLY.ok}, 0, 0
local held, old, leaseEnd, place = false, nil, nil, nil
local state
if known then
  if #known < 21 then return { ${REPLY.corrupt}, 0 } end
  local chunk
  leaseEnd, chunk = struct.unpack('<dd', known, 2)
  if chunk ~= 0 then place = string.sub(known, 10, 21) end
  state = string.byte(known)
  if ${luaIsNoted("known")} then known, leaseEnd = nil, nil end
end
if known then
  if state == 104 then
    held = string.sub(known, 22, 21 + #head) == head and string.byte(known, 22 + #head) == 10
    if not held then
      if string.sub(known, 22, 21 + #mine) ~= mine then code = ${REPLY.mismatch}
      else return { ${REPLY.otherCells}, string.sub(known, 22 + #mine) } end
    end
  else
    local line = string.find(known, '\\n', 22, true)
    if not line or not (state == 99 or state == 102 or state == 120) then return { ${REPLY.corrupt}, 0 } end
    local same = string.sub(known, line + 1) == head
    if not same and string.sub(known, line + 1, line + #mine) == mine then
      return { ${REPLY.otherCells}, string.sub(known, line + 1 + #mine) .. '\\n\\n' }
    end
    if not same then
      code = ${REPLY.mismatch}
    elseif state == 102 then
      code = release and ${REPLY.replayed} or ${REPLY.mismatch}
    elseif state == 99 and release then
      code = ${REPLY.mismatch}
    else
      local revision, amounts = string.match(string.sub(known, 22, line - 1), '^(%-?%d+) ?(.*)$')
      if not revision then return { ${REPLY.corrupt}, 0 } end
      if state == 99 and tonumber(revised) <= tonumber(revision) then
        code = ${REPLY.replayed}
        if tonumber(revised) == tonumber(revision) and string.sub(known, 22, line - 1) ~= ARGV[3] then
          code = ${REPLY.mismatch}
        end
      else
        if state == 120 then late = 1 end
        old = {}
        for amount in string.gmatch(amounts, '%d+') do old[#old + 1] = tonumber(amount) end
      end
    end
  end
elseif not release then
  if expiresAt == 'n' or now < expiresAt + ${settings.retentionMs} then recovered = 1 else code = ${REPLY.forgotten} end
end

local told, cells, keyEnds = {}, {}, {}
for i = 1, count do
  local reserved, amount, life
  reserved, amount, life, at = struct.unpack('sss', ARGV[1], at)
  local v = stored[i + ${before}] or pcall('GET', KEYS[i + 2])
  ${luaReadCell(`return { ${REPLY.corrupt}, i }`)}
  local was = r
  local before = v or NO_CELL
  local cell = before
  if code == ${REPLY.ok} then
    if held then
      r = r - reserved
      if r < 0 then r = 0 end
    end
    -- The difference first: a sum of all three could pass 2^53 on the way.
    local charge = release and 0 or amount + 0
    if old and old[i] then charge = charge - old[i] end
    s = s + charge
    if s > MAX then s = MAX elseif s < -MAX then s = -MAX end
    if s > p then p = s end
    local keeps = life == 'k'
    life = keeps and (l or 0) or life + 0
    ${LUA_CELL_END}
    if keeps then ends = v and true or -1 end
    cell = struct.pack('<ddddd', s, r, g, p, life)
    cells[i], keyEnds[i] = cell, ends
  end
  told[2 * i - 1], told[2 * i] = cell, before
end
told[0] = struct.pack('<BBBd', code, late, recovered, now)
local reply = table.concat(told, '', 0, 2 * count)
if code ~= ${REPLY.ok} then return reply end

if not leaseEnd then
  leaseEnd = now
  if expiresAt ~= 'n' then leaseEnd = tonumber(expiresAt) end
end
local ends = leaseEnd
if ends < now then ends = now end
${settings.ledger ? writeLedger(settings) : ""}
call('SET', key, outcome .. struct.pack('<d', leaseEnd) .. (place or NOWHERE) .. ARGV[3] .. '\\n' .. head, 'PXAT', ends + ${settings.retentionMs})
for i = 1, count do
  ${luaWriteCell("KEYS[i + 2]", "cells[i]", "keyEnds[i]")}
end
if held and call('ZREM', leases, id) == 0 then call('ZREM', base .. 'q', id) end
return reply`
  return { name: settings.ledger ? "settle-with-entry" : "settle", lua, packed: true }
}

/**
 * The entry first, so that the record can say where it stands. Without an entry of its own, a settle still corrects the
 * one that an expiry or `record` wrote.
 */
function writeLedger(settings: ScriptSettings): string {
  return `
local text = ARGV[4]
if text or place then
  local horizon, full, start = -1, 0, 0
  local chunk = not place and stored[2]
  if chunk and #chunk > 24 then horizon, full, start = struct.unpack('<ddd', chunk) end
  if now <= horizon and now >= start then
    -- A new entry for the open chunk before its horizon, which is nearly always so: the functions below need not even be made.
    local chunkKey = string.sub(chunk, 25)
    local length = call('RPUSH', chunkKey, nowText, text)
    place = struct.pack('<dI4', start, length - 2)
    if length == 2 or (full == 0 and length >= ${2 * settings.chunkEntries}) then
      ${luaLedger(settings)}
      knowChunk(chunk)
      tendChunk(base, chunkKey, length)
    end
  else
    ${luaLedger(settings)}
    if not text then
      chargeEntry(base, place, id, string.sub(head, #mine + 1), ARGV[3], release)
    elseif not (place and rewriteEntry(base, place, id, text)) then
      knowChunk(stored[2])
      place = appendEntry(base, text)
    end
  end
  local whole = ARGV[5]
  if whole then call('SET', base .. 'u:b:' .. id, whole, 'PXAT', string.format('%.0f', now + ${settings.ledgerRetentionMs})) end
end`
}
