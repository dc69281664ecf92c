-- Replaces what is reserved or charged under a key, and writes the usage entry. Never denies.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 damaged, 6 time, 7 entries, 8... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 fingerprint, 4 outcome, 5 revision, 6 expiresAt ('' for null), 7 retentionMs,
--       8 ledgerRetentionMs (0: no ledger), 9 entry; the names of the counters; then per counter: amount (0 when released),
--       reserved, keep (see forgetTime)
-- Reply: status, now, replayed, late, recovered, forgottenCounters, then per counter: spent, reserved, granted, peakBefore,
--        peak. Or: other-counters, now, names. Or: mismatch | forgotten, now
--- @include "shared/resolve"
local key, fingerprint, outcome, revision, expiresAt = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local retentionMs, ledgerRetentionMs, json = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local FIRST_NAME = 10
local count = #KEYS - FIRST_COUNTER_KEY + 1
local names = { unpack(ARGV, FIRST_NAME, FIRST_NAME + count - 1) }
local function requested(i)
  local at = FIRST_NAME + count + 3 * (i - 1)
  return ARGV[at], ARGV[at + 1], ARGV[at + 2]
end

local clock, now, latest = readTime(KEYS[6], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local reservation = readReservation(KEYS[1], now)
-- A damaged reservation counts as held in the request's counters.
local isDamaged = not reservation
if isDamaged then
  reservation = { state = 'held', fingerprint = fingerprint, names = names, amounts = {}, onExpire = {}, charges = {} }
  for i, name in ipairs(names) do
    local _, reserved = requested(i)
    reservation.amounts[name] = reserved
  end
end
local state = reservation.state
if state ~= 'none' then
  if reservation.fingerprint ~= fingerprint then return { 'mismatch', now } end
  if (state == 'settled' or state == 'released') and state ~= outcome then return { 'mismatch', now } end
  if state == 'settled' and revision < reservation.revision then return { 'mismatch', now } end
  if not hasNames(reservation, names) then return { 'other-counters', now, reservation.names } end
end
local counters = readCounters(now)
if not counters then return { 'corrupt', 'counter' } end

if state == 'released' or (state == 'settled' and revision == reservation.revision) then
  local replay = { outcome, now, 1, 0, 0, 0 }
  for i, counter in ipairs(counters) do
    local amount = requested(i)
    if tonumber(amount) ~= tonumber(reservation.charges[names[i]]) then return { 'mismatch', now } end
    appendUnchanged(replay, counter)
  end
  return replay
end

local entry = { state = 'none' }
if ledgerRetentionMs > 0 then
  entry = readEntry(KEYS[3], now, ledgerRetentionMs)
  if not entry then return { 'corrupt', 'entry' } end
end
if state == 'none' then
  -- A key without a reservation but with an entry was resolved and then forgotten.
  if entry.state ~= 'none' and entry.state ~= 'recorded' then return { 'forgotten', now } end
  if outcome == 'settled' and expiresAt and now >= expiresAt + retentionMs then return { 'forgotten', now } end
  reservation = { amounts = {}, onExpire = {}, charges = {} }
end

local isLate, isRecovered = state == 'expired', isDamaged or (state == 'none' and outcome == 'settled')
local reply = { outcome, now, 0, isLate and 1 or 0, isRecovered and 1 or 0, 0 }
local leaseEnd = reservation.leaseEnd or expiresAt or now
local forgetAt = math.max(leaseEnd, now) + retentionMs
local fields, charges = {}, {}
for i, counter in ipairs(counters) do
  local amount, _, keep = requested(i)
  local counterForgetAt = forgetTime(keep, now)
  local name = names[i]
  local reserved, charged = reservation.amounts[name] or '0', reservation.charges[name] or '0'
  -- A reserved amount above 0 keeps its counter. A held amount of 0, or an unknown key, is charged in a new counter unless the
  -- window is over.
  local isReserved, isResolved = state == 'held' and tonumber(reserved) > 0, state ~= 'held' and state ~= 'none'
  local isForgotten = counter.isNew and not isReserved and (isResolved or (counterForgetAt > 0 and counterForgetAt <= now))
  if isForgotten then
    reply[6] = reply[6] + 1
    appendUnchanged(reply, counter)
  else
    local reservedBefore = state == 'held' and reserved or 0
    if counterForgetAt > 0 then counterForgetAt = math.max(counterForgetAt, forgetAt) end
    replaceCharge(reply, i, counter, reservedBefore, charged, amount, counterForgetAt)
  end
  fields[2 * i - 1], fields[2 * i] = name, reserved .. ' ' .. (reservation.onExpire[name] or '0') .. ' ' .. amount
  charges[i] = '"' .. name .. '":' .. amount
end
writeResolved(key, outcome, fingerprint, revision, leaseEnd, forgetAt, fields)
if ledgerRetentionMs > 0 then
  local at = entry.at or now
  writeEntry(KEYS[3], KEYS[7], key, at, entryText(at, outcome, revision, 1, charges, json), now, ledgerRetentionMs)
end
writeTime(KEYS[6], now, latest)
return reply
