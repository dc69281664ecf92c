import { luaLedger } from "./lua-ledger"
import { luaNow, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Writes an entry that moves no money, unless the id has one.
 *
 * KEYS: 1 leases (for the root's name), 2 the open chunk, 3 the place of the id's entry, 4 the id's record.
 * ARGV: 1 time or "", 2 text of the entry, 3 the id, 4 prompt and answer where 2 is without them.
 * Reply: code, now.
 */
export function ledgerRecordScript(settings: ScriptSettings): Script {
  const ends = `string.format('%.0f', now + ${settings.ledgerRetentionMs})`
  const lua = `${luaNow()}${luaLedger(settings)}
local stored = call('MGET', KEYS[2], KEYS[3], KEYS[4])
if stored[2] then return { ${REPLY.ok}, now } end
local known = stored[3]
if known and #known > 21 and string.byte(known) ~= 104 and struct.unpack('<d', known, 10) > 0 then return { ${REPLY.ok}, now } end
local base = string.sub(KEYS[1], 1, -2)
knowChunk(stored[1])
local place = appendEntry(base, ARGV[2])
call('SET', KEYS[3], place, 'PXAT', ${ends})
if ARGV[4] then call('SET', base .. 'u:b:' .. ARGV[3], ARGV[4], 'PXAT', ${ends}) end
return { ${REPLY.ok}, now }`
  return { name: "ledger-record", lua }
}
