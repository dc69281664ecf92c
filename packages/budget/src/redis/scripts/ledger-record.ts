import { luaLedger } from "./lua-ledger"
import { luaNow, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Writes an entry that moves no money, unless the id has one.
 *
 * KEYS: 1 leases (for the root's name), 2 the open chunk, 3 the id's record, which keeps the place; where there is none, one
 *       that says no more.
 * ARGV: 1 time or "", 2 text of the entry, 3 the id, 4 prompt and answer where 2 is without them.
 * Reply: code, now.
 */
export function ledgerRecordScript(settings: ScriptSettings): Script {
  const ends = `string.format('%.0f', now + ${settings.ledgerRetentionMs})`
  const lua = `${luaNow()}${luaLedger(settings)}
local stored = call('MGET', KEYS[2], KEYS[3])
local known = stored[2]
local base = string.sub(KEYS[1], 1, -2)
if known and readEntry(base, string.sub(known, 10, 21), ARGV[3]) then return { ${REPLY.ok}, now } end
knowChunk(stored[1])
local place = appendEntry(base, ARGV[2])
if not known then
  call('SET', KEYS[3], 'n' .. struct.pack('<d', 0) .. place, 'PXAT', ${ends}, 'NX')
elseif #known >= 21 then
  call('SETRANGE', KEYS[3], 9, place)
end
if ARGV[4] then call('SET', base .. 'u:b:' .. ARGV[3], ARGV[4], 'PXAT', ${ends}) end
return { ${REPLY.ok}, now }`
  return { name: "ledger-record", lua }
}
