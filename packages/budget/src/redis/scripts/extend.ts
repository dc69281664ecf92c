import { luaIsNoted } from "./lua-record"
import { luaNow, REPLY, type Script } from "./script"

/**
 * Moves the end of a lease forward, never back, and never revives.
 *
 * KEYS: 1 leases, 2 the id's record. ARGV: 1 time or "", 2 id, 3 lease in ms.
 * Reply: code, now, letter of the state ("h", "c", "f", "x", 0 for unknown), end of the lease.
 */
export function extendScript(): Script {
  const lua = `${luaNow()}
local known = redis.pcall('GET', KEYS[2])
if not known then return { ${REPLY.ok}, now, 0, 0 } end
if type(known) ~= 'string' or #known < 21 then return { ${REPLY.corrupt}, 0 } end
local state = string.byte(known)
if state ~= 104 then
  if ${luaIsNoted("known")} then return { ${REPLY.ok}, now, 0, 0 } end
  if state == 99 or state == 102 or state == 120 then return { ${REPLY.ok}, now, state, 0 } end
  return { ${REPLY.corrupt}, 0 }
end
local ends = struct.unpack('<d', known, 2)
if ends <= now then return { ${REPLY.ok}, now, 120, 0 } end
if now + ARGV[3] > ends then
  ends = now + ARGV[3]
  call('SETRANGE', KEYS[2], 1, struct.pack('<d', ends))
  call('ZADD', KEYS[1], 'XX', ends, ARGV[2])
end
return { ${REPLY.ok}, now, 104, ends }`
  return { name: "extend", lua }
}
