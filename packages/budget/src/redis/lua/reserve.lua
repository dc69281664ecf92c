-- Adds the amounts to `reserved` of all counters, or of none.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 time, 6... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 fingerprint, 4 leaseMs, 5 latest start and 6 earliest end of the windows ('' for
--       none), 7 ledgerRetentionMs (0: no ledger), 8 pending entry; per counter: name, "amount onExpire 0"; then per counter:
--       amount, limit ('' for null), keep (see forgetTime)
-- Reply: status, now, due, detail, then per counter: { spent, reserved, granted, … }
--- @include "shared/records"
local FIRST_KEY, FIRST_FIELD = 6, 9
local count = #KEYS - FIRST_KEY + 1
local FIRST_AMOUNT = FIRST_FIELD + 2 * count
local reservationKey, ledgerRetentionMs = KEYS[1], tonumber(ARGV[7])

local clock, now, latest = readTime(KEYS[5], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local reply = { 'ok', text(now), redis.call('ZCOUNT', KEYS[4], '-inf', text(clock)), '' }
local function replyWith(status, detail)
  reply[1], reply[4] = status, detail
  return reply
end
-- The reply has the same tables as `counters`, so that it shows what is written below.
local counters = {}
for i = 1, count do
  local counter = readCounter(KEYS[FIRST_KEY - 1 + i], now)
  if not counter then return { 'corrupt', 'counter' } end
  counters[i], reply[4 + i] = counter, counter
end

-- The key comes before the windows and the limits: a retry is the same reservation, even if limits changed in between.
local reservation = { state = 'none' }
if redis.call('EXISTS', reservationKey) == 1 then reservation = readReservation(reservationKey, now) end
if not reservation then return { 'corrupt', 'reservation' } end
if reservation.state ~= 'none' then
  if reservation.fingerprint ~= ARGV[3] then return replyWith('mismatch', '') end
  if reservation.state ~= 'held' then return replyWith('resolved', reservation.state) end
  if reservation.leaseEnd <= clock then return replyWith('lease-ended', reservation.names) end
  return replyWith('replayed', text(reservation.leaseEnd))
end
if ledgerRetentionMs > 0 then
  local entry = readEntry(KEYS[3], now, ledgerRetentionMs)
  if not entry then return { 'corrupt', 'entry' } end
  if entry.state ~= 'none' and entry.state ~= 'recorded' then return replyWith('resolved', entry.state) end
end

local latestStart, earliestEnd = tonumber(ARGV[5]), tonumber(ARGV[6])
if (latestStart and now < latestStart) or (earliestEnd and now >= earliestEnd) then return replyWith('stale-window', '') end
local exceeded = {}
for i = 1, count do
  local counter, at = counters[i], FIRST_AMOUNT + 3 * (i - 1)
  local amount, limit = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local allowed = limit and math.min(MAX, limit + counter[GRANTED]) or MAX
  if amount > 0 and amount > allowed - counter[SPENT] - counter[RESERVED] then exceeded[#exceeded + 1] = i - 1 end
end
if #exceeded > 0 then return replyWith('exceeded', exceeded) end

for i = 1, count do
  local counter, at = counters[i], FIRST_AMOUNT + 3 * (i - 1)
  local counterKey, keep, reserved = KEYS[FIRST_KEY - 1 + i], ARGV[at + 2], text(limited(counter[RESERVED] + ARGV[at]))
  if counter[RESERVED] ~= '0' and counter[FORGET_AT] == keep then
    redis.call('HSET', counterKey, 'reserved', reserved)
  else
    writeCounter(counterKey, counter, reserved, forgetTime(keep, now))
  end
  counter[RESERVED] = reserved
end
local leaseEnd = text(clock + ARGV[4])
if reservation.isForgotten then redis.call('DEL', reservationKey) end
redis.call('HSET', reservationKey, '@state', 'held', '@fingerprint', ARGV[3], '@revision', '0', '@leaseEnd', leaseEnd,
  '@forgetAt', '0', '@counters', count, unpack(ARGV, FIRST_FIELD, FIRST_AMOUNT - 1))
if ledgerRetentionMs > 0 then redis.call('SET', KEYS[2], ARGV[8]) end
redis.call('ZADD', KEYS[4], leaseEnd, ARGV[2])
writeTime(KEYS[5], now, latest)
return replyWith('ok', leaseEnd)
