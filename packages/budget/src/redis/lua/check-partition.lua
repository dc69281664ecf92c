-- Reports the clock and the damage of a partition.
-- KEYS: 1 damaged, 2 time
-- ARGV: 1 clock ('' the server's), 2 maximum number of keys
-- Reply: ok, clock, latest time (0: none), keys of damaged reservations
--- @include "shared/time"
local clock = readClock(ARGV[1])
local now, latest = readNow(KEYS[2], clock)
if not now then return corrupt('time') end
return { 'ok', text(clock), text(latest), redis.call('SRANDMEMBER', KEYS[1], ARGV[2]) }
