import { LUA_MAX } from "./lua-cell"
import { luaExpire } from "./lua-expire"
import { luaNow, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Ends leases that ran out, oldest first: one step of a sweep.
 *
 * KEYS: 1 leases. ARGV: 1 time or "", 2 most leases of this step.
 * Reply: code, now, how many are still due, how many were dealt with, then an array per lease as in `reserve`.
 */
export function sweepScript(settings: ScriptSettings): Script {
  const lua = `${luaNow()}
${LUA_MAX}
local leases = KEYS[1]
local reply = { ${REPLY.ok}, now, 0, 0 }
local due = call('ZRANGEBYSCORE', leases, '-inf', nowText, 'LIMIT', 0, ARGV[2])
if not due[1] then return reply end
${luaExpire(settings)}
local expired, done = expire(string.sub(leases, 1, -2), due)
reply[3] = call('ZCOUNT', leases, '-inf', nowText)
reply[4] = done
for i = 1, #expired do reply[4 + i] = expired[i] end
return reply`
  return { name: "sweep", lua }
}
