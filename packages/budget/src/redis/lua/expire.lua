-- Ends one lease if it is due: charges onExpire, releases the rest, writes the pending entry.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 damaged, 6 time, 7 entries, 8... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 retentionMs, 4 ledgerRetentionMs (0: no ledger), 5... counter names
-- Reply: expired, now, then per counter: spent, reserved, granted, peakBefore, peak, charge. Or: other-counters, now, names.
--        Or: not-due | damaged, now
--- @include "shared/resolve"
local key, retentionMs, ledgerRetentionMs = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local FIRST_NAME = 5
local names = {}
for i = FIRST_NAME, #ARGV do names[i - FIRST_NAME + 1] = ARGV[i] end

local clock, now, latest = readTime(KEYS[6], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local due = tonumber(redis.call('ZSCORE', KEYS[4], key))
if not due or due > clock then return { 'not-due', now } end

local function setAside()
  redis.call('SADD', KEYS[5], key)
  redis.call('ZREM', KEYS[4], key)
  return { 'damaged', now }
end

local reservation = readReservation(KEYS[1], now)
if not reservation then return setAside() end
if reservation.state ~= 'held' then
  redis.call('ZREM', KEYS[4], key)
  return { 'not-due', now }
end
if reservation.leaseEnd > clock then
  redis.call('ZADD', KEYS[4], text(reservation.leaseEnd), key)
  return { 'not-due', now }
end
if not hasNames(reservation, names) then return { 'other-counters', now, reservation.names } end
local counters = readCounters(now)
if not counters then return setAside() end
local entry, pending
if ledgerRetentionMs > 0 then
  entry, pending = readEntry(KEYS[3], now, ledgerRetentionMs), read('GET', KEYS[2])
  if not entry or pending == nil then return setAside() end
end

local forgetAt = math.max(reservation.leaseEnd, now) + retentionMs
local reply, fields, charges = { 'expired', now }, {}, {}
for i, counter in ipairs(counters) do
  local name = names[i]
  local amount, charge = reservation.amounts[name], reservation.onExpire[name]
  -- A counter in which nothing is reserved may be forgotten before the lease ends.
  if counter.isNew and amount == '0' then
    appendUnchanged(reply, counter)
  else
    replaceCharge(reply, i, counter, amount, 0, charge, forgetAt)
  end
  reply[#reply + 1] = charge
  fields[2 * i - 1], fields[2 * i] = name, amount .. ' ' .. charge .. ' ' .. charge
  charges[i] = '"' .. name .. '":' .. charge
end
writeResolved(key, 'expired', reservation.fingerprint, 0, reservation.leaseEnd, forgetAt, fields)
if pending then
  local at = entry.at or now
  writeEntry(KEYS[3], KEYS[7], key, at, entryText(at, 'expired', 0, 1, charges, pending), now, ledgerRetentionMs)
end
writeTime(KEYS[6], now, latest)
return reply
