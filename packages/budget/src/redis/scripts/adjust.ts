import { LUA_CELL_END, LUA_MAX, luaReadCell, luaWriteCell } from "./lua-cell"
import { LUA_EXACT, luaNow, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Corrects, tops up or resets a cell, once per id.
 *
 * KEYS: 1 the adjustment, 2 the cell.
 * ARGV: 1 time or "", 2 kind ("spent", "granted", "reset"), 3 delta, 4 content (key, kind, delta), 5 start and
 *       6 end of the window, 7 life of the cell (as in `reserve`).
 * Reply: code, now, applied, spent, reserved, granted, peak before, peak.
 */
export function adjustScript(settings: ScriptSettings): Script {
  const lua = `${luaNow()}${LUA_EXACT}
${LUA_MAX}
local known, v = pcall('GET', KEYS[1]), pcall('GET', KEYS[2])
if known and type(known) ~= 'string' then return { ${REPLY.corrupt}, 0 } end
${luaReadCell(`return { ${REPLY.corrupt}, 1 }`)}
if known then
  local applied, content = string.match(known, '^(%-?%d+)\\n(.*)$')
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
local was, life = r, ARGV[7] + 0
${LUA_CELL_END}
local cell = struct.pack('<ddddd', s, r, g, p, life)
${luaWriteCell("KEYS[2]", "cell", "ends")}
return exact({ ${REPLY.ok}, now, applied, s, r, g, before, p }, 3)`
  return { name: "adjust", lua }
}
