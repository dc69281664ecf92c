-- Reads counters.
-- KEYS: 1 leases, 2 time, 3... counters
-- ARGV: 1 clock ('' the server's)
-- Reply: ok, now, due, then per counter: { spent, reserved, granted, … } | absent | damaged
--- @include "shared/records"
local clock, now = readTime(KEYS[2], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local reply = { 'ok', now, redis.call('ZCOUNT', KEYS[1], '-inf', text(clock)) }
for i = 3, #KEYS do
  local counter = readCounter(KEYS[i], now)
  reply[1 + i] = counter and (counter.isNew and 'absent' or counter) or 'damaged'
end
return reply
