-- Extends a lease that has not ended.
-- KEYS: 1 reservation, 2 leases, 3 time
-- ARGV: 1 clock ('' the server's), 2 key, 3 leaseMs
-- Reply: held, now, expiresAt, fingerprint, then per counter: { name, amount, onExpire }. Or: a final state | unknown, now
--- @include "shared/records"
local clock, now = readTime(KEYS[3], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local reservation = readReservation(KEYS[1], now)
if not reservation then return { 'corrupt', 'reservation' } end
if reservation.state == 'none' then return { 'unknown', now } end
if reservation.state ~= 'held' then return { reservation.state, now } end
if reservation.leaseEnd <= clock then return { 'expired', now } end

local leaseEnd = math.max(reservation.leaseEnd, clock + ARGV[3])
redis.call('HSET', KEYS[1], '@leaseEnd', text(leaseEnd))
redis.call('ZADD', KEYS[2], text(leaseEnd), ARGV[2])
local reply = { 'held', now, leaseEnd, reservation.fingerprint }
for i, name in ipairs(reservation.names) do
  reply[4 + i] = { name, reservation.amounts[name], reservation.onExpire[name] }
end
return reply
