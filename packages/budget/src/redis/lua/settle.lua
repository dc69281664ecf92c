-- Replaces what is reserved or charged under a key, and writes the usage entry. Never denies.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 damaged, 6 time, 7 entries, 8... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 fingerprint, 4 outcome, 5 revision, 6 expiresAt ('' for null), 7 retentionMs,
--       8 ledgerRetentionMs (0: no ledger), 9 entry, then per counter: name, amount, reserved, keep (see forgetTime)
-- Reply: status, now, replayed, late, recovered, forgottenCounters, then per counter: spent, reserved, granted, peakBefore,
--        peak. Or: other-counters, now, names. Or: mismatch | forgotten, now
--- @include "shared/resolve"
local key, fingerprint, outcome, revision, expiresAt = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local retentionMs, ledgerRetentionMs, json = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local FIRST_ARGUMENT, PER_COUNTER = 10, 4

local clock = readClock(ARGV[1])
local now, latest = readNow(KEYS[6], clock)
if not now then return corrupt('time') end
local names, requests = {}, {}
for at = FIRST_ARGUMENT, #ARGV, PER_COUNTER do
  local charge = outcome == 'settled' and ARGV[at + 1] or '0'
  names[#names + 1] = ARGV[at]
  requests[#names] = { charge = tonumber(charge), chargeText = charge, reserved = ARGV[at + 2], forgetAt = forgetTime(ARGV[at + 3], now) }
end

local function status(name)
  return { name, text(now) }
end
local function resolved(counters, replayed, late, recovered, forgottenCounters)
  local reply = { outcome, text(now), replayed and 1 or 0, late and 1 or 0, recovered and 1 or 0, forgottenCounters }
  for _, counter in ipairs(counters) do
    for _, number in ipairs(counter) do reply[#reply + 1] = number end
  end
  return reply
end

local reservation = readReservation(KEYS[1], now)
local isDamaged = not reservation
if isDamaged then
  -- What cannot be read counts as held in the request's counters.
  reservation = { state = 'held', counters = {} }
  for i, name in ipairs(names) do
    reservation.counters[name] = { amount = tonumber(requests[i].reserved), onExpire = 0, charge = 0 }
  end
end
local state = reservation.state
if state ~= 'none' and not isDamaged then
  if reservation.fingerprint ~= fingerprint then return status('mismatch') end
  if (state == 'settled' or state == 'released') and state ~= outcome then return status('mismatch') end
  if state == 'settled' and revision < reservation.revision then return status('mismatch') end
  if not hasNames(reservation, names) then return { 'other-counters', text(now), reservation.names } end
end
local counters = readCounters(now)
if not counters then return corrupt('counter') end

local isReplay = state == 'released' or (state == 'settled' and revision == reservation.revision)
if isReplay then
  for i, counter in ipairs(counters) do
    if requests[i].charge ~= reservation.counters[names[i]].charge then return status('mismatch') end
    counters[i] = unchanged(counter)
  end
  return resolved(counters, true, false, false, 0)
end

local entry = { state = 'none' }
if ledgerRetentionMs > 0 then
  entry = readEntry(KEYS[3], now, ledgerRetentionMs)
  if not entry then return corrupt('entry') end
end
if state == 'none' then
  -- A key without a reservation but with its entry was resolved, and forgotten since.
  if entry.state ~= 'none' and entry.state ~= 'recorded' then return status('forgotten') end
  if outcome == 'settled' and expiresAt and now >= expiresAt + retentionMs then return status('forgotten') end
end

local leaseEnd = reservation.leaseEnd or expiresAt or now
local forgetAt = math.max(leaseEnd, now) + retentionMs
local fields, charges, forgottenCounters = {}, {}, 0
for i, counter in ipairs(counters) do
  local request, before = requests[i], state ~= 'none' and reservation.counters[names[i]] or { amount = 0, onExpire = 0, charge = 0 }
  -- What is held keeps its counter. An unknown key is charged in a new counter too, unless its window is over and forgotten.
  local isForgotten = not counter.exists and state ~= 'held'
    and (state ~= 'none' or (request.forgetAt > 0 and request.forgetAt <= now))
  if isForgotten then
    forgottenCounters = forgottenCounters + 1
    counters[i] = unchanged(counter)
  else
    local freed = state == 'held' and before.amount or 0
    counters[i] = replaceCharge(counter, freed, before.charge, request.charge, laterForget(request.forgetAt, forgetAt))
  end
  local n = #fields
  charges[i] = '"' .. names[i] .. '":' .. request.chargeText
  fields[n + 1], fields[n + 2] = names[i], text(before.amount) .. ' ' .. text(before.onExpire) .. ' ' .. request.chargeText
end
writeResolved(key, {
  state = outcome, fingerprint = fingerprint, revision = revision, leaseEnd = leaseEnd, forgetAt = forgetAt,
}, fields)
if ledgerRetentionMs > 0 then
  local at = entry.at or now
  writeEntry(KEYS[3], KEYS[7], key, at, entryText(at, outcome, revision, 1, charges, json), now, ledgerRetentionMs)
end
writeTime(KEYS[6], now, latest)
return resolved(counters, false, state == 'expired', isDamaged or (state == 'none' and outcome == 'settled'), forgottenCounters)
