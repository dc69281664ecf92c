-- Lists the keys of reservations whose lease has ended, oldest first.
-- KEYS: 1 leases, 2 time
-- ARGV: 1 clock ('' the server's), 2 limit
-- Reply: ok, now, keys
--- @include "shared/records"
local clock, now = readTime(KEYS[2], ARGV[1])
if not now then return { 'corrupt', 'time' } end
return { 'ok', now, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(clock), 'LIMIT', 0, ARGV[2]) }
