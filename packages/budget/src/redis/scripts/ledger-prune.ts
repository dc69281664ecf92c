import { REPLY, type Script } from "./script"

/** Most entries that one step looks at. */
const PRUNE_ENTRIES = 256

/**
 * Removes entries written before an instant: one step. A chunk of which nothing later can be known leaves as a whole;
 * in the others the entries are emptied, so that the places of those that stay still hold.
 *
 * KEYS: 1 the chunks. ARGV: 1 the instant, 2 the chunk to go on in or "", 3 from which entry of it.
 * Reply: code, removed, chunk to go on in ("" at the end), from which entry.
 */
export function ledgerPruneScript(): Script {
  const lua = `
local call = redis.call
local base = string.sub(KEYS[1], 1, -4)
local before, removed = tonumber(ARGV[1]), 0
local from = ARGV[2] == '' and '-inf' or ARGV[2]
local chunks = call('ZRANGEBYSCORE', KEYS[1], from, '(' .. ARGV[1], 'LIMIT', 0, 2)
local chunk = chunks[1]
if not chunk then return { ${REPLY.ok}, 0, '', 0 } end
local offset = chunk == ARGV[2] and tonumber(ARGV[3]) or 0
local chunkKey = base .. 'u:x:' .. chunk
local items = call('LRANGE', chunkKey, offset, offset + ${2 * PRUNE_ENTRIES - 1})
for i = 1, #items, 2 do
  local at, id = string.match(items[i], '^%d+'), string.match(items[i + 1], '^[^ \\n]+')
  if at and id and tonumber(at) < before then
    call('LSET', chunkKey, offset + i - 1, '')
    call('LSET', chunkKey, offset + i, '')
    call('DEL', base .. 'u:b:' .. id)
    removed = removed + 1
  end
end
if #items == ${2 * PRUNE_ENTRIES} then return { ${REPLY.ok}, removed, chunk, offset + ${2 * PRUNE_ENTRIES} } end
if not chunks[2] then return { ${REPLY.ok}, removed, '', 0 } end
-- The next chunk begins before the instant, so that everything in this one was earlier still.
call('UNLINK', chunkKey, base .. 'u:y:' .. chunk)
call('ZREM', KEYS[1], chunk)
return { ${REPLY.ok}, removed, chunks[2], 0 }`
  return { name: "ledger-prune", lua }
}
