import { LUA_MAX, luaReadCell } from "./lua-cell"
import { LUA_EXACT, luaNow, REPLY, type Script } from "./script"

/**
 * Reads cells and counts the leases that ran out. Writes nothing.
 *
 * KEYS: 1 leases, 2… the cells. ARGV: 1 time or "".
 * Reply: code, now, due, then per cell: spent, reserved, granted.
 */
export function readScript(): Script {
  const lua = `${luaNow()}${LUA_EXACT}
${LUA_MAX}
local reply = { ${REPLY.ok}, now, call('ZCOUNT', KEYS[1], '-inf', nowText) }
for i = 1, #KEYS - 1 do
  local v = pcall('GET', KEYS[i + 1])
  ${luaReadCell(`return { ${REPLY.corrupt}, i }`)}
  local at = 1 + 3 * i
  reply[at], reply[at + 1], reply[at + 2] = s, r, g
end
return exact(reply, 4)`
  return { name: "read", lua }
}
