import { luaLedger } from "./lua-ledger"
import { LUA_NOW, REPLY, type Script, type ScriptSettings } from "./script"

/**
 * Writes an entry that moves no money, unless the id has one.
 *
 * KEYS: 1 leases (for the root's name), 2 the open chunk, 3 the id's entry. ARGV: 1 time or "", 2 id, 3 index parts, 4 JSON.
 * Reply: code, now.
 */
export function ledgerRecordScript(settings: ScriptSettings): Script {
  const lua = `${LUA_NOW}${luaLedger(settings)}
if call('EXISTS', KEYS[3]) == 1 then return { ${REPLY.ok}, now } end
local base = string.sub(KEYS[1], 1, -2)
storeMeta(base, writeEntry(base, ARGV[2], nil, call('GET', KEYS[2]), '-', '0', ARGV[3], '', ARGV[4]))
return { ${REPLY.ok}, now }`
  return { name: "ledger-record", lua }
}
