import { LUA_CELL_END, LUA_MAX, LUA_NO_CELL, luaReadCell, luaWriteCell } from "./lua-cell"
import { luaExpire } from "./lua-expire"
import { LUA_NOWHERE, luaIsNoted } from "./lua-record"
import { luaNow, REPLY, type Script, type ScriptSettings } from "./script"

/** Most leases that a reserve ends by the way. */
const MAX_EXPIRED = 16

/**
 * Sets an amount aside in every cell or in none.
 *
 * KEYS: 1 leases, 2 the id's record, 3… the cells.
 * ARGV: 1 texts, each with a NUL behind it: time or "", lease in ms, latest start and earliest end of
 *       the windows, end of the record or 0, then per cell: amount, limit or -1, life (`lua-cell.ts`); 2 what follows
 *       state, lease and place in the record ({@link heldRecord}).
 * Reply: bytes, of code and backlog one each, now, end of the lease or letter of the state, then the cells (`lua-cell.ts`);
 *       if leases ran out, a list of these bytes and an array per lease: id, then per cell: key, spent, reserved, granted,
 *       peak before, peak, charge. Or, with nothing reserved, a list: corrupt, and which cell, 0 for the record.
 */
export function reserveScript(settings: ScriptSettings): Script {
  const lua = `
local given, lease, opens, closes, keepUntil, at = struct.unpack('sssss', ARGV[1])
${luaNow("given")}
${LUA_MAX}
${LUA_NO_CELL}
${LUA_NOWHERE}
local leases, record = KEYS[1], KEYS[2]
-- The record's key is that of the leases with two letters more, and the id.
local id = string.sub(record, #leases + 2)
local expired
local backlog = 0
if call('ZCOUNT', leases, '-inf', nowText) > 0 then
  ${luaExpire(settings)}
  local base = string.sub(leases, 1, -2)
  local due = call('ZRANGEBYSCORE', leases, '-inf', nowText, 'LIMIT', 0, ${MAX_EXPIRED + 1})
  local count = #due
  if count > ${MAX_EXPIRED} then due[count] = nil end
  local done
  expired, done = expire(base, due)
  if done < count then
    -- The caller's own lease is decided now, wherever it stands in the row.
    local ends = call('ZSCORE', leases, id)
    if ends and tonumber(ends) <= now then
      local own = expire(base, { id })
      if own[1] then expired[#expired + 1] = own[1] end
    end
    if call('ZCOUNT', leases, '-inf', nowText) > 0 then backlog = 1 end
  end
  if not expired[1] then expired = nil end
end

-- Of a key of another type this says that it is absent, so that what is absent is looked at once more before it is written.
local stored = call('MGET', unpack(KEYS, 2))
local known, place, only = stored[1], NOWHERE, 'NX'
if known and ${luaIsNoted("known")} then
  known, place, only = nil, string.sub(known, 10, 21), 'XX'
end
local count = #KEYS - 2
local code, detail = ${REPLY.ok}, 0
if not known and (now < opens + 0 or now >= closes + 0) then code = ${REPLY.staleWindow} end
local told, cells, keyEnds = {}, {}, {}
for i = 1, count do
  local amount, limit, life
  amount, limit, life, at = struct.unpack('sss', ARGV[1], at)
  local v = stored[i + 1] or pcall('GET', KEYS[i + 2])
  ${luaReadCell(`return { ${REPLY.corrupt}, i }`)}
  told[i] = v or NO_CELL
  if not known then
    amount, limit, life = amount + 0, limit + 0, life + 0
    if amount > 0 then
      if limit < 0 then
        limit = MAX
      else
        limit = limit + g
        if limit > MAX then limit = MAX end
      end
      if (amount > limit - s - r or amount > MAX - r) and code == ${REPLY.ok} then code = ${REPLY.exceeded} end
    end
    local was = r
    r = r + amount
    ${LUA_CELL_END}
    cells[i], keyEnds[i] = struct.pack('<ddddd', s, r, g, p, life), ends
  end
end

if known then
  local state = string.byte(known)
  local line = string.find(known, '\\n', 22, true)
  local mine = string.sub(ARGV[2], 1, string.find(ARGV[2], '\\n', 1, true) - 1)
  if state == 104 then
    if not line then return { ${REPLY.corrupt}, 0 } end
    if string.sub(known, 22, line - 1) == mine then
      code, detail = ${REPLY.replayed}, struct.unpack('<d', known, 2)
    else
      code = ${REPLY.mismatch}
    end
  elseif line and (state == 99 or state == 102 or state == 120) then
    if string.sub(known, line + 1, line + #mine + 1) == mine .. '\\n' then
      code, detail = ${REPLY.resolved}, state
    else
      code = ${REPLY.mismatch}
    end
  else
    return { ${REPLY.corrupt}, 0 }
  end
elseif code ~= ${REPLY.ok} then
  if only == 'NX' and call('EXISTS', record) == 1 then return { ${REPLY.corrupt}, 0 } end
else
  detail = now + lease
  local v = 'h' .. struct.pack('<d', detail) .. place .. ARGV[2]
  local written
  if keepUntil == '0' then
    written = call('SET', record, v, only)
  else
    written = call('SET', record, v, 'PXAT', keepUntil, only)
  end
  if not written then return { ${REPLY.corrupt}, 0 } end
  for i = 1, count do
    ${luaWriteCell("KEYS[i + 2]", "cells[i]", "keyEnds[i]")}
  end
  call('ZADD', leases, detail, id)
  told = cells
end
told[0] = struct.pack('<BBdd', code, backlog, now, detail)
local reply = table.concat(told, '', 0, count)
if not expired then return reply end
table.insert(expired, 1, reply)
return expired`
  return { name: "reserve", lua, packed: true }
}
