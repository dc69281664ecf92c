import { luaExpire } from "./lua-expire"
import { LUA_EXACT, LUA_NOW, LUA_SANE, REPLY, type Script, type ScriptSettings } from "./script"

/** Most leases that a reserve ends by the way. */
const MAX_EXPIRED = 16

/**
 * Sets an amount aside in every cell or in none.
 *
 * KEYS: 1 leases, 2 the id's record, 3… the cells.
 * ARGV: 1 time or "", 2 id, 3 lease in ms, 4 latest start and 5 earliest end of the windows, 6 the record without its
 *       state and lease ({@link heldRecord}), 7 its end or "n", then per cell: amount, limit or "n", life.
 *       A life is "n" (none), an instant, or "-" and how long the cell is kept while nothing is reserved in it.
 * Reply: code, now, end of the lease or letter of the state, backlog, then per cell: spent, reserved, granted; last,
 *       if leases ran out, an array per lease: id, then per cell: key, spent, reserved, granted, peak before, peak, charge.
 */
export function reserveScript(settings: ScriptSettings): Script {
  const lua = `${LUA_NOW}${LUA_SANE}${LUA_EXACT}
local leases, record = KEYS[1], KEYS[2]
local reply = { 0, now, 0, 0 }
local expired
local due = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, ${MAX_EXPIRED + 1})
if due[1] then
  ${luaExpire(settings)}
  local base = string.sub(leases, 1, -2)
  local count = #due
  if count > ${MAX_EXPIRED} then due[count] = nil end
  local done
  expired, done = expire(base, due)
  if done < count then
    -- The caller's own lease is decided now, wherever it stands in the row.
    local ends = call('ZSCORE', leases, ARGV[2])
    if ends and tonumber(ends) <= now then
      local own = expire(base, { ARGV[2] })
      if own[1] then expired[#expired + 1] = own[1] end
    end
    if call('ZCOUNT', leases, '-inf', now) > 0 then reply[4] = 1 end
  end
  if not expired[1] then expired = nil end
end

local stored = call('MGET', unpack(KEYS, 2))
local count = #KEYS - 2
local cells = {}
local code = ${REPLY.ok}
local known = stored[1]
if not known then
  if now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5]) then code = ${REPLY.staleWindow} end
end
local missing
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
  if not known then
    local amount = tonumber(ARGV[5 + 3 * i])
    if amount > 0 then
      local limit = tonumber(ARGV[6 + 3 * i])
      if limit then
        limit = limit + g
        if limit > MAX then limit = MAX end
      else
        limit = MAX
      end
      if amount > limit - s - r or amount > MAX - r then
        if code == ${REPLY.ok} then code = ${REPLY.exceeded} end
      end
      cells[i] = struct.pack('<dddd', s, r + amount, g, p)
    else
      cells[i] = v or struct.pack('<dddd', s, r, g, p)
    end
  end
  local at = 2 + 3 * i
  reply[at], reply[at + 1], reply[at + 2] = s, r, g
end
if missing then
  -- MGET reads a key of another type as absent, and absent would count as zero.
  for i = 1, count do
    if not stored[i + 1] and call('EXISTS', KEYS[i + 2]) == 1 then return { ${REPLY.corrupt}, i } end
  end
end

if known then
  local state = string.byte(known)
  local line = string.find(known, '\\n', state == 104 and 10 or 22, true)
  local mine = string.sub(ARGV[6], 1, string.find(ARGV[6], '\\n', 1, true) - 1)
  if state == 104 then
    if not line then return { ${REPLY.corrupt}, 0 } end
    if string.sub(known, 10, line - 1) == mine then
      code, reply[3] = ${REPLY.replayed}, struct.unpack('<d', known, 2)
    else
      code = ${REPLY.mismatch}
    end
  elseif line and (state == 99 or state == 102 or state == 120) then
    if string.sub(known, line + 1, line + #mine + 1) == mine .. '\\n' then
      code, reply[3] = ${REPLY.resolved}, state
    else
      code = ${REPLY.mismatch}
    end
  else
    return { ${REPLY.corrupt}, 0 }
  end
elseif code == ${REPLY.ok} then
  local ends = now + ARGV[3]
  local v = 'h' .. struct.pack('<d', ends) .. ARGV[6]
  local set
  if ARGV[7] == 'n' then
    set = call('SET', record, v, 'NX')
  else
    set = call('SET', record, v, 'NX', 'PXAT', ARGV[7])
  end
  -- The key is there and is no string, or MGET had seen it.
  if not set then return { ${REPLY.corrupt}, 0 } end
  for i = 1, count do
    local life = ARGV[7 + 3 * i]
    local first = string.byte(life)
    if first == 110 then
      call('SET', KEYS[i + 2], cells[i])
    elseif first == 45 then
      if reply[3 + 3 * i] + ARGV[5 + 3 * i] == 0 then
        call('SET', KEYS[i + 2], cells[i], 'PXAT', string.format('%.0f', now - life))
      else
        call('SET', KEYS[i + 2], cells[i])
      end
    else
      call('SET', KEYS[i + 2], cells[i], 'PXAT', life)
    end
    local at = 3 + 3 * i
    reply[at] = reply[at] + ARGV[5 + 3 * i]
  end
  call('ZADD', leases, ends, ARGV[2])
  reply[3] = ends
end
reply[1] = code
exact(reply, 5)
reply[#reply + 1] = expired
return reply`
  return { name: "reserve", lua }
}
