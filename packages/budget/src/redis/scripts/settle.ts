import { luaLedger, NO_PLACE } from "./lua-ledger"
import { LUA_EXACT, LUA_NOW, LUA_SANE, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Replaces what is reserved or charged under an id by the truth.
 *
 * KEYS: 1 leases, 2 the id's record, 3… the cells; with a ledger, last the open chunk and the place of what `record` wrote.
 * ARGV: 1 time or "", 2 id, 3 "c" (commit) or "f" (free: release), 4 revision, 5 end of the lease or "n",
 *       6 fingerprint, cells and what was reserved in them ({@link heldHead}), 7 revision and charges
 *       ({@link chargeLine}), 8 how many cells, then per cell: reserved, amount, life;
 *       with an entry then its JSON, and the whole JSON where that is shortened.
 *       A life is as in `reserve`, or "k": the cell keeps the end it has, and is not made again.
 * Reply: code, now, letter of the outcome, late, recovered, then per cell: spent, reserved, granted, peak before, peak.
 *        Or, with nothing written, where the id's own cells are others (a retry after midnight): code, a line of them and
 *        what was reserved, and a line of their charges and lives, which is empty once the id is resolved.
 */
export function settleScript(settings: ScriptSettings & { ledger: boolean }): Script {
  const lua = `${LUA_NOW}${LUA_SANE}${LUA_EXACT}
local leases, key = KEYS[1], KEYS[2]
local count = tonumber(ARGV[8])
local release = ARGV[3] == 'f'
local stored = call('MGET', unpack(KEYS, 2))
local known = stored[1]
local head = ARGV[6]
local mine = string.sub(head, 1, string.find(head, '\\n', 1, true))
local code, late, recovered = ${REPLY.ok}, 0, 0
local held, old, leaseEnd, place = false, nil, nil, nil
if known then
  if #known < 10 then return { ${REPLY.corrupt}, 0 } end
  local state = string.byte(known)
  leaseEnd = struct.unpack('<d', known, 2)
  if state == 104 then
    held = string.sub(known, 10, 9 + #head) == head and string.byte(known, 10 + #head) == 10
    if not held then
      if string.sub(known, 10, 9 + #mine) ~= mine then code = ${REPLY.mismatch}
      else return { ${REPLY.otherCells}, string.sub(known, 10 + #mine) } end
    end
  else
    local line = string.find(known, '\\n', 22, true)
    place = string.sub(known, 10, 21)
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
      if state == 99 and tonumber(ARGV[4]) <= tonumber(revision) then
        code = ${REPLY.replayed}
        if tonumber(ARGV[4]) == tonumber(revision) and string.sub(known, 22, line - 1) ~= ARGV[7] then
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
  if ARGV[5] == 'n' or now < ARGV[5] + ${settings.retentionMs} then recovered = 1 else code = ${REPLY.forgotten} end
end

local reply = { code, now, string.byte(ARGV[3]), late, recovered }
local cells = {}
local missing = not known
for i = 1, count do
  local v = stored[i + 1]
  local s, r, g, p = 0, 0, 0, 0
  if v then
    if #v ~= 32 then return { ${REPLY.corrupt}, i } end
    s, r, g, p = struct.unpack('<dddd', v)
    if not sane(s, r, g, p) then return { ${REPLY.corrupt}, i } end
  else
    missing = true
  end
  local before = p
  if code == ${REPLY.ok} then
    if held then
      r = r - ARGV[6 + 3 * i]
      if r < 0 then r = 0 end
    end
    if not release then s = s + ARGV[7 + 3 * i] end
    if old and old[i] then s = s - old[i] end
    if s > MAX then s = MAX elseif s < -MAX then s = -MAX end
    if s > p then p = s end
    cells[i] = struct.pack('<dddd', s, r, g, p)
  end
  local at = 1 + 5 * i
  reply[at], reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = s, r, g, before, p
end
if missing then
  -- MGET reads a key of another type as absent, and absent would count as zero.
  for i = 0, count do
    if not stored[i + 1] and call('EXISTS', KEYS[i + 2]) == 1 then return { ${REPLY.corrupt}, i } end
  end
end
exact(reply, 6)
if code ~= ${REPLY.ok} then return reply end

if not leaseEnd then
  leaseEnd = now
  if ARGV[5] ~= 'n' then leaseEnd = tonumber(ARGV[5]) end
end
local ends = leaseEnd
if ends < now then ends = now end
${settings.ledger ? writeLedger(settings) : ""}
call('SET', key, ARGV[3] .. struct.pack('<d', leaseEnd) .. (place or ${NO_PLACE}) .. ARGV[7] .. '\\n' .. head, 'PXAT', string.format('%.0f', ends + ${settings.retentionMs}))
for i = 1, count do
  local life = ARGV[8 + 3 * i]
  local first = string.byte(life)
  if first == 110 then
    call('SET', KEYS[i + 2], cells[i])
  elseif first == 45 then
    if reply[2 + 5 * i] == 0 then
      call('SET', KEYS[i + 2], cells[i], 'PXAT', string.format('%.0f', now - life))
    else
      call('SET', KEYS[i + 2], cells[i])
    end
  elseif first == 107 then
    call('SET', KEYS[i + 2], cells[i], 'XX', 'KEEPTTL')
  elseif tonumber(life) > now then
    call('SET', KEYS[i + 2], cells[i], 'PXAT', life)
  end
end
if held and call('ZREM', leases, ARGV[2]) == 0 then call('ZREM', string.sub(leases, 1, -2) .. 'q', ARGV[2]) end
return reply`
  return { name: settings.ledger ? "settle-with-entry" : "settle", lua }
}

/**
 * The entry first, so that the record can say where it stands. Without an entry of its own, a settle still corrects the
 * one that an expiry or `record` wrote.
 */
function writeLedger(settings: ScriptSettings): string {
  return `
local json = ARGV[9 + 3 * count]
place = stored[count + 3] or place
if json or place then
  ${luaLedger(settings)}
  local base = string.sub(leases, 1, -2)
  local entryHead = ARGV[2] .. (release and not json and ' r\\n' or ' -\\n') .. ARGV[7] .. string.sub(head, #mine) .. '\\n'
  local there = place and rewriteEntry(base, place, ARGV[2], entryHead, json)
  if json and not there then
    knowChunk(stored[count + 2])
    place = appendEntry(base, entryHead .. json)
  end
  local whole = ARGV[10 + 3 * count]
  if whole then call('SET', base .. 'u:b:' .. ARGV[2], whole, 'PXAT', string.format('%.0f', now + ${settings.ledgerRetentionMs})) end
end`
}
