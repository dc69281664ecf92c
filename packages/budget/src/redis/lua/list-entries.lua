-- Reads a page of the ledger's index, in order of (at, key) or the reverse.
-- KEYS: 1 entries, 2 time
-- ARGV: 1 clock ('' the server's), 2 ledgerRetentionMs ('' includes forgotten entries), 3 from, 4 to (exclusive; '' for no bound), 5 newestFirst (0 or 1),
--       6 at and 7 key of the entry before the page ('' from the start), 8 page size
-- Reply: ok, then per entry: key, at. A page that is not full is the last. If the entry before the page was removed, the page
--        repeats entries of its millisecond.
--- @include "shared/records"
local _, now = readTime(KEYS[2], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local entries, newestFirst, afterAt, afterKey, count = KEYS[1], ARGV[5] == '1', ARGV[6], ARGV[7], tonumber(ARGV[8])

-- Ranks from the oldest entry: `low` is the first of the range, `high` the one after its last.
local from = tonumber(ARGV[3]) or 0
if ARGV[2] ~= '' then from = math.max(from, now - ARGV[2] + 1) end
local low = redis.call('ZCOUNT', entries, '-inf', '(' .. text(from))
local high = ARGV[4] == '' and redis.call('ZCARD', entries) or redis.call('ZCOUNT', entries, '-inf', '(' .. ARGV[4])
if afterAt ~= '' then
  local rank = tonumber(redis.call('ZSCORE', entries, afterKey)) == tonumber(afterAt) and redis.call('ZRANK', entries, afterKey)
  if newestFirst then
    high = math.min(high, rank or redis.call('ZCOUNT', entries, '-inf', afterAt))
  else
    low = math.max(low, rank and rank + 1 or redis.call('ZCOUNT', entries, '-inf', '(' .. afterAt))
  end
end
if low >= high then return { 'ok' } end
local page
if newestFirst then
  local size = redis.call('ZCARD', entries)
  page = redis.call('ZREVRANGE', entries, size - high, math.min(size - low - 1, size - high + count - 1), 'WITHSCORES')
else
  page = redis.call('ZRANGE', entries, low, math.min(high - 1, low + count - 1), 'WITHSCORES')
end
table.insert(page, 1, 'ok')
return page
