-- Reads counters.
-- KEYS: 1 leases, 2 time, 3... counters
-- ARGV: 1 clock ('' the server's)
-- Reply: ok, now, due, then per counter: known | absent | damaged, spent, reserved, granted
--- @include "shared/counter"
local clock = readClock(ARGV[1])
local now = readNow(KEYS[2], clock)
if not now then return corrupt('time') end
local reply = { 'ok', text(now), redis.call('ZCOUNT', KEYS[1], '-inf', text(clock)) }
for i = 3, #KEYS do
  local counter = readCounter(KEYS[i], now)
  local n = #reply
  reply[n + 1] = not counter and 'damaged' or counter.exists and 'known' or 'absent'
  local fields = counter and counter.before or ZEROS
  reply[n + 2], reply[n + 3], reply[n + 4] = fields[1], fields[2], fields[3]
end
return reply
