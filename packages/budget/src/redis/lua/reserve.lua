-- Adds the amounts to `reserved` of all counters, or of none.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 time, 6... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 fingerprint, 4 leaseMs, 5 latest start and 6 earliest end of the windows,
--       7 ledgerRetentionMs (0: no ledger), 8 pending entry; per counter: name, "amount onExpire 0"; then per counter: amount,
--       limit ('' for null), keep (see forgetTime)
-- Reply: status, now, due, detail, then per counter: spent, reserved, granted
--- @include "shared/records"
local FIRST_KEY, FIRST_FIELD = 6, 9
local count = #KEYS - FIRST_KEY + 1
local FIRST_AMOUNT = FIRST_FIELD + 2 * count
-- In a counter, besides its fields.
local RESERVED_AFTER = 6
local reservationKey, ledgerRetentionMs = KEYS[1], ARGV[7] + 0

local clock, now, latest = readTime(KEYS[5], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local reply = { 'ok', now, redis.call('ZCOUNT', KEYS[4], '-inf', text(clock)), '' }
local function replyWith(status, detail)
  reply[1], reply[4] = status, detail
  return reply
end

local counters, exceeded = {}, {}
for i = 1, count do
  local counter, spent, reserved, granted = readCounter(KEYS[FIRST_KEY - 1 + i], now)
  if not counter then return { 'corrupt', 'counter' } end
  local at = FIRST_AMOUNT + 3 * (i - 1)
  local amount, limit = ARGV[at] + 0, ARGV[at + 1]
  local allowed = limit == '' and MAX or limited(limit + granted)
  if amount > 0 and amount > allowed - spent - reserved then exceeded[#exceeded + 1] = i - 1 end
  counters[i], counter[RESERVED_AFTER] = counter, limited(reserved + amount)
  reply[2 + 3 * i], reply[3 + 3 * i], reply[4 + 3 * i] = counter[SPENT], counter[RESERVED], counter[GRANTED]
end

-- The key comes before the windows and the limits: a retry is the same reservation, even if limits changed in between.
local isForgotten = false
if redis.call('EXISTS', reservationKey) == 1 then
  local reservation = readReservation(reservationKey, now)
  if not reservation then return { 'corrupt', 'reservation' } end
  if reservation.state ~= 'none' then
    if reservation.fingerprint ~= ARGV[3] then return replyWith('mismatch', '') end
    if reservation.state ~= 'held' then return replyWith('resolved', reservation.state) end
    if reservation.leaseEnd <= clock then return replyWith('lease-ended', reservation.names) end
    return replyWith('replayed', reservation.leaseEnd)
  end
  isForgotten = reservation.isForgotten
end
if ledgerRetentionMs > 0 then
  local entry = readEntry(KEYS[3], now, ledgerRetentionMs)
  if not entry then return { 'corrupt', 'entry' } end
  if entry.state ~= 'none' and entry.state ~= 'recorded' then return replyWith('resolved', entry.state) end
end

if now < ARGV[5] + 0 or now >= ARGV[6] + 0 then return replyWith('stale-window', '') end
if #exceeded > 0 then return replyWith('exceeded', exceeded) end

for i, counter in ipairs(counters) do
  local counterKey, keep, reserved = KEYS[FIRST_KEY - 1 + i], ARGV[FIRST_AMOUNT + 3 * i - 1], text(counter[RESERVED_AFTER])
  if counter[RESERVED] ~= '0' and counter[FORGET_AT] == keep then
    redis.call('HSET', counterKey, 'reserved', reserved)
  else
    writeCounter(counterKey, counter, reserved, forgetTime(keep, now))
  end
  reply[3 + 3 * i] = reserved
end
local leaseEnd = clock + ARGV[4]
local leaseEndText = text(leaseEnd)
if isForgotten then redis.call('DEL', reservationKey) end
redis.call('HSET', reservationKey, '@state', 'held', '@fingerprint', ARGV[3], '@leaseEnd', leaseEndText, '@counters', text(count),
  unpack(ARGV, FIRST_FIELD, FIRST_AMOUNT - 1))
if ledgerRetentionMs > 0 then redis.call('SET', KEYS[2], ARGV[8]) end
redis.call('ZADD', KEYS[4], leaseEndText, ARGV[2])
writeTime(KEYS[5], now, latest)
return replyWith('ok', leaseEnd)
