-- Reports the clock and the damage of a partition.
-- KEYS: 1 damaged, 2 time
-- ARGV: 1 clock ('' the server's), 2 maximum number of keys
-- Reply: ok, clock, latest time (0: none), keys of damaged reservations
--- @include "shared/records"
local clock, now, latest = readTime(KEYS[2], ARGV[1])
if not now then return { 'corrupt', 'time' } end
return { 'ok', clock, latest, redis.call('SRANDMEMBER', KEYS[1], ARGV[2]) }
