import { LUA_EXACT, LUA_NOW, LUA_SANE, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Corrects, tops up or resets a cell, once per id.
 *
 * KEYS: 1 the adjustment, 2 the cell.
 * ARGV: 1 time or "", 2 kind ("spent", "granted", "reset"), 3 delta, 4 content (key, kind, delta), 5 start and
 *       6 end of the window, 7 life of the cell (as in `reserve`).
 * Reply: code, now, applied, spent, reserved, granted, peak before, peak.
 */
export function adjustScript(settings: ScriptSettings): Script {
  const lua = `${LUA_NOW}${LUA_SANE}${LUA_EXACT}
local stored = call('MGET', KEYS[1], KEYS[2])
for i = 1, 2 do
  if not stored[i] and call('EXISTS', KEYS[i]) == 1 then return { ${REPLY.corrupt}, i - 1 } end
end
local s, r, g, p = 0, 0, 0, 0
if stored[2] then
  if #stored[2] ~= 32 then return { ${REPLY.corrupt}, 1 } end
  s, r, g, p = struct.unpack('<dddd', stored[2])
  if not sane(s, r, g, p) then return { ${REPLY.corrupt}, 1 } end
end
if stored[1] then
  local applied, content = string.match(stored[1], '^(%-?%d+)\\n(.*)$')
  if not applied then return { ${REPLY.corrupt}, 0 } end
  local code = content == ARGV[4] and ${REPLY.replayed} or ${REPLY.mismatch}
  return exact({ code, now, tonumber(applied), s, r, g, p, p }, 3)
end
if now < tonumber(ARGV[5]) or now >= tonumber(ARGV[6]) then return exact({ ${REPLY.staleWindow}, now, 0, s, r, g, p, p }, 3) end
local function bounded(n)
  if n > MAX then return MAX elseif n < -MAX then return -MAX end
  return n
end
local before, applied = p, 0
if ARGV[2] == 'granted' then
  local sum = bounded(g + ARGV[3])
  applied, g = sum - g, sum
elseif ARGV[2] == 'spent' then
  local sum = bounded(s + ARGV[3])
  applied, s = sum - s, sum
  if s > p then p = s end
else
  applied, s, p = -s, 0, 0
end
call('SET', KEYS[1], string.format('%.0f', applied) .. '\\n' .. ARGV[4], 'PXAT', string.format('%.0f', now + ${settings.retentionMs}))
local cell = struct.pack('<dddd', s, r, g, p)
local first = string.byte(ARGV[7])
if first == 110 or (first == 45 and r > 0) then
  call('SET', KEYS[2], cell)
elseif first == 45 then
  call('SET', KEYS[2], cell, 'PXAT', string.format('%.0f', now - ARGV[7]))
else
  call('SET', KEYS[2], cell, 'PXAT', ARGV[7])
end
return exact({ ${REPLY.ok}, now, applied, s, r, g, before, p }, 3)`
  return { name: "adjust", lua }
}
