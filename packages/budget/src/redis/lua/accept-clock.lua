-- Sets the partition's latest time to the clock.
-- KEYS: 1 time
-- ARGV: 1 clock ('' the server's)
-- Reply: ok, now, the latest time before
--- @include "shared/records"
local clock, before = readTime(KEYS[1], ARGV[1])
redis.call('DEL', KEYS[1])
writeTime(KEYS[1], clock, 0)
return { 'ok', clock, before or clock }
