-- Adds the amounts to `reserved` of all counters, or of none.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 time, 6... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 fingerprint, 4 leaseMs, 5 retentionMs, 6 ledgerRetentionMs (0: no ledger),
--       7 pending entry, then per counter: name, amount, limit, onExpire, startsAt, endsAt, keepMs ('' for null)
-- Reply: status, now, due, detail, then per counter: spent, reserved, granted
--- @include "shared/counter"
--- @include "shared/reservation"
--- @include "shared/entry"
local reservationKey, pendingKey, entryKey, leasesKey, timeKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local key, fingerprint, leaseMs, retentionMs, ledgerRetentionMs = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local FIRST_KEY, FIRST_ARGUMENT, PER_COUNTER = 6, 8, 7

local clock = readClock(ARGV[1])
local now, latest = readNow(timeKey, clock)
if not now then return corrupt('time') end
local counters = {}
for i = FIRST_KEY, #KEYS do
  local counter = readCounter(KEYS[i], now)
  if not counter then return corrupt('counter') end
  counters[#counters + 1] = counter
end
local reservation = readReservation(reservationKey, now, {})
if not reservation then return corrupt('reservation') end

local function reply(status, detail)
  local values = { status, text(now), redis.call('ZCOUNT', leasesKey, '-inf', text(clock)), detail }
  for _, counter in ipairs(counters) do
    local n = #values
    values[n + 1], values[n + 2], values[n + 3] = text(counter.spent), text(counter.reserved), text(counter.granted)
  end
  return values
end

if reservation.state ~= 'none' then
  if reservation.fingerprint ~= fingerprint then return reply('mismatch', 0) end
  if reservation.state ~= 'held' then return reply('resolved', reservation.state) end
  if reservation.leaseEnd <= clock then return reply('lease-ended', counterNames(reservationKey)) end
  return reply('replayed', text(reservation.leaseEnd))
end
if ledgerRetentionMs > 0 then
  local entry = readEntry(entryKey, now, ledgerRetentionMs)
  if not entry then return corrupt('entry') end
  if entry.state ~= 'none' and entry.state ~= 'recorded' then return reply('resolved', entry.state) end
end

local stale, exceeded = {}, {}
for i, counter in ipairs(counters) do
  local at = FIRST_ARGUMENT + (i - 1) * PER_COUNTER
  local limit, startsAt, endsAt = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  counter.name, counter.amount, counter.onExpire = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 3]
  counter.keptUntil = forgetTime(endsAt, tonumber(ARGV[at + 6]), retentionMs, now)
  if (startsAt and now < startsAt) or (endsAt and now >= endsAt) then stale[#stale + 1] = i - 1 end
  local most = limit and math.min(MAX, limit + counter.granted) or MAX
  if counter.amount > 0 and counter.amount > most - counter.reserved - counter.spent then exceeded[#exceeded + 1] = i - 1 end
end
if #stale > 0 then return reply('stale-window', stale) end
if #exceeded > 0 then return reply('exceeded', exceeded) end

local leaseEnd = text(clock + leaseMs)
local fields = {
  '@state', 'held', '@fingerprint', fingerprint, '@revision', '0', '@leaseEnd', leaseEnd, '@forgetAt', '0',
  '@counters', #counters,
}
for _, counter in ipairs(counters) do
  counter.reserved = counter.reserved + counter.amount
  keep(counter, counter.keptUntil)
  writeCounter(counter)
  fields[#fields + 1] = counter.name
  fields[#fields + 1] = text(counter.amount) .. ' ' .. counter.onExpire .. ' 0'
end
-- A forgotten reservation may still be there, with its expiry.
redis.call('DEL', reservationKey)
redis.call('HSET', reservationKey, unpack(fields))
if ledgerRetentionMs > 0 then redis.call('SET', pendingKey, ARGV[7]) end
redis.call('ZADD', leasesKey, leaseEnd, key)
writeTime(timeKey, now, latest)
return reply('ok', leaseEnd)
