import { REPLY, type Script } from "./script"

/** Most entries that one step removes. */
const PRUNE_ENTRIES = 64

/**
 * Removes entries written before an instant: one step.
 *
 * KEYS: 1 the chunks. ARGV: 1 the instant, in 15 digits.
 * Reply: code, removed, 1 when there is more to do.
 */
export function ledgerPruneScript(): Script {
  const lua = `
local call = redis.call
local base = string.sub(KEYS[1], 1, -4)
local removed = 0
local chunks = call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1], 'LIMIT', 0, 16)
for i, chunk in ipairs(chunks) do
  local chunkKey = base .. 'u:x:' .. chunk
  local members = call('ZRANGEBYLEX', chunkKey, '[t ', '(t ' .. ARGV[1], 'LIMIT', 0, ${PRUNE_ENTRIES})
  for j = 1, #members do
    local suffix = string.sub(members[j], 2)
    local entryKey = base .. 'u:e:' .. string.sub(members[j], 19)
    local entry = call('GET', entryKey)
    if entry then
      local parts = string.match(entry, '^[^\\n]*\\n([^\\n]*)\\n')
      for part in string.gmatch(parts or '', '%S+') do call('ZREM', chunkKey, part .. suffix) end
      removed = removed + call('DEL', entryKey)
    end
    call('ZREM', chunkKey, members[j])
  end
  if #members > 0 then return { ${REPLY.ok}, removed, 1 } end
  -- Nothing before the instant is left in it. The chunk that is written to stays known.
  if call('EXISTS', chunkKey) == 0 and call('ZCARD', KEYS[1]) > 1 then call('ZREM', KEYS[1], chunk) end
end
return { ${REPLY.ok}, removed, 0 }`
  return { name: "ledger-prune", lua }
}
