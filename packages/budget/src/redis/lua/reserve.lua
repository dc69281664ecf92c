-- Adds the amounts to `reserved` of all counters, or of none.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 time, 6... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 fingerprint, 4 leaseMs, 5 latest start and 6 earliest end of the windows ('' for
--       none), 7 ledgerRetentionMs (0: no ledger), 8 pending entry; per counter: name, "amount onExpire 0"; then per counter:
--       amount, limit ('' for null), keep (see forgetTime)
-- Reply: status, now, due, detail, then per counter: spent, reserved, granted
--- @include "shared/counter"
--- @include "shared/reservation"
--- @include "shared/entry"
local reservationKey, pendingKey, entryKey, leasesKey, timeKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local key, fingerprint, leaseMs, latestStart, earliestEnd = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local ledgerRetentionMs = tonumber(ARGV[7])
local FIRST_KEY, FIRST_FIELD = 6, 9
local count = #KEYS - FIRST_KEY + 1
local FIRST_AMOUNT = FIRST_FIELD + 2 * count

local clock = readClock(ARGV[1])
local now, latest = readNow(timeKey, clock)
if not now then return corrupt('time') end
local reply = { 'ok', text(now), redis.call('ZCOUNT', leasesKey, '-inf', text(clock)), false }
local function as(status, detail)
  reply[1], reply[4] = status, detail
  return reply
end
local counters, exceeded = {}, {}
for i = 1, count do
  local counter = readCounter(KEYS[FIRST_KEY - 1 + i], now)
  if not counter then return corrupt('counter') end
  local n, before, at = 1 + 3 * i, counter.before, FIRST_AMOUNT + 3 * (i - 1)
  reply[n + 1], reply[n + 2], reply[n + 3] = before[1], before[2], before[3]
  local amount, limit = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local allowed = limit and math.min(MAX, limit + counter.granted) or MAX
  if amount > 0 and amount > allowed - counter.reserved - counter.spent then exceeded[#exceeded + 1] = i - 1 end
  counter.reserved = limited(counter.reserved + amount)
  counters[i] = counter
end

-- For a new key, the usual case, EXISTS is cheaper than reading its fields.
local reservation = { state = 'none' }
if redis.call('EXISTS', reservationKey) == 1 then reservation = readReservation(reservationKey, now, {}) end
if not reservation then return corrupt('reservation') end
if reservation.state ~= 'none' then
  local names = counterNames(reservationKey)
  if not readReservation(reservationKey, now, names) then return corrupt('reservation') end
  if reservation.fingerprint ~= fingerprint then return as('mismatch', 0) end
  if reservation.state ~= 'held' then return as('resolved', reservation.state) end
  if reservation.leaseEnd <= clock then return as('lease-ended', names) end
  return as('replayed', text(reservation.leaseEnd))
end
if ledgerRetentionMs > 0 then
  local entry = readEntry(entryKey, now, ledgerRetentionMs)
  if not entry then return corrupt('entry') end
  if entry.state ~= 'none' and entry.state ~= 'recorded' then return as('resolved', entry.state) end
end
if (latestStart and now < latestStart) or (earliestEnd and now >= earliestEnd) then return as('stale-window', 0) end
if #exceeded > 0 then return as('exceeded', exceeded) end

local leaseEnd = text(clock + leaseMs)
for i, counter in ipairs(counters) do
  local keep, reserved = ARGV[FIRST_AMOUNT + 3 * i - 1], text(counter.reserved)
  writeCounter(counter, forgetTime(keep, now), 'reserved', reserved)
  reply[3 + 3 * i] = reserved
end
if reservation.isForgotten then redis.call('DEL', reservationKey) end
redis.call('HSET', reservationKey, '@state', 'held', '@fingerprint', fingerprint, '@revision', '0', '@leaseEnd', leaseEnd,
  '@forgetAt', '0', '@counters', count, unpack(ARGV, FIRST_FIELD, FIRST_AMOUNT - 1))
if ledgerRetentionMs > 0 then redis.call('SET', pendingKey, ARGV[8]) end
redis.call('ZADD', leasesKey, leaseEnd, key)
writeTime(timeKey, now, latest)
return as('ok', leaseEnd)
