-- Removes entries that were written before an instant.
-- KEYS: 1 entries, 2... entries to remove
-- ARGV: 1 before, then per entry: key
-- Reply: ok, number of removed entries
local removed = 0
for i = 2, #KEYS do
  local at = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]))
  if at and at < tonumber(ARGV[1]) then
    removed = removed + 1
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('DEL', KEYS[i])
  end
end
return { 'ok', removed }
