-- Sets the partition's latest time to the clock.
-- KEYS: 1 time
-- ARGV: 1 clock ('' the server's)
-- Reply: ok, now, the latest time before
--- @include "shared/time"
local clock = readClock(ARGV[1])
local before = readNow(KEYS[1], clock) or clock
redis.call('DEL', KEYS[1])
writeTime(KEYS[1], clock, 0)
return { 'ok', text(clock), text(before) }
