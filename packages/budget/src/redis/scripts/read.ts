import { LUA_EXACT, LUA_NOW, LUA_SANE, REPLY, type Script } from "./script"

/**
 * Reads cells and counts the leases that ran out. Writes nothing.
 *
 * KEYS: 1 leases, 2… the cells. ARGV: 1 time or "".
 * Reply: code, now, due, then per cell: spent, reserved, granted.
 */
export function readScript(): Script {
  const lua = `${LUA_NOW}${LUA_SANE}${LUA_EXACT}
local reply = { ${REPLY.ok}, now, call('ZCOUNT', KEYS[1], '-inf', now) }
if #KEYS == 1 then return reply end
local stored = call('MGET', unpack(KEYS, 2))
for i = 1, #KEYS - 1 do
  local v = stored[i]
  local s, r, g, p = 0, 0, 0, 0
  if v then
    if #v ~= 32 then return { ${REPLY.corrupt}, i } end
    s, r, g, p = struct.unpack('<dddd', v)
    if not sane(s, r, g, p) then return { ${REPLY.corrupt}, i } end
  elseif call('EXISTS', KEYS[i + 1]) == 1 then
    return { ${REPLY.corrupt}, i }
  end
  local at = 1 + 3 * i
  reply[at], reply[at + 1], reply[at + 2] = s, r, g
end
return exact(reply, 4)`
  return { name: "read", lua }
}
