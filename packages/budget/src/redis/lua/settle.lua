-- Replaces what is reserved or charged under a key, and writes the usage entry. Never denies.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 damaged, 6 time, 7 entries, 8... counters
-- ARGV: 1 clock ('' the server's), 2 key, 3 fingerprint, 4 outcome, 5 revision, 6 expiresAt ('' for null), 7 retentionMs,
--       8 ledgerRetentionMs (0: no ledger), 9 entry, then per counter: name, amount, reserved, endsAt, keepMs ('' for null)
-- Reply: status, now, replayed, late, recovered, forgottenCounters, then per counter: spent, reserved, granted, peakBefore,
--        peak. Or: other-counters, now, names
--- @include "shared/resolve"
local key, fingerprint, outcome, revision, expiresAt = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local retentionMs, ledgerRetentionMs, json = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]

local clock = readClock(ARGV[1])
local now, latest = readNow(KEYS[6], clock)
if not now then return corrupt('time') end
local names, amounts, reserved, endsAt, keptUntil = {}, {}, {}, {}, {}
for at = 10, #ARGV, 5 do
  local i = #names + 1
  names[i], amounts[i], reserved[i], endsAt[i] = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  keptUntil[i] = forgetTime(endsAt[i], tonumber(ARGV[at + 4]), retentionMs, now)
end

local reservation = readReservation(KEYS[1], now, names)
-- What cannot be read counts as held in the request's counters.
local isDamaged = not reservation
if isDamaged then
  reservation = { state = 'held', fingerprint = fingerprint, sameCounters = true, amounts = reserved, onExpire = {} }
end
local state = reservation.state
if state ~= 'none' then
  if reservation.fingerprint ~= fingerprint then return { 'mismatch', text(now) } end
  if (state == 'settled' or state == 'released') and state ~= outcome then return { 'mismatch', text(now) } end
  if state == 'settled' and revision < reservation.revision then return { 'mismatch', text(now) } end
  if not reservation.sameCounters then return { 'other-counters', text(now), counterNames(KEYS[1]) } end
end

local counters = readCounters(now)
if not counters then return corrupt('counter') end
local isReplay = state == 'released'
if state == 'settled' and revision == reservation.revision then
  for i in ipairs(names) do
    if amounts[i] ~= reservation.charges[i] then return { 'mismatch', text(now) } end
  end
  isReplay = true
end
if isReplay then return report({ outcome, text(now), 1, 0, 0, 0 }, counters) end

local entry = { state = 'none' }
if ledgerRetentionMs > 0 then
  entry = readEntry(KEYS[3], now, ledgerRetentionMs)
  if not entry then return corrupt('entry') end
end
if state == 'none' then
  -- Known by its entry: it was resolved, and forgotten since.
  if entry.state ~= 'none' and entry.state ~= 'recorded' then return { 'forgotten', text(now) } end
  if outcome == 'settled' and expiresAt and now >= expiresAt + retentionMs then return { 'forgotten', text(now) } end
end

local leaseEnd = reservation.leaseEnd or expiresAt or now
local forgetAt = math.max(leaseEnd, now) + retentionMs
local charges, forgottenCounters = {}, 0
for i, counter in ipairs(counters) do
  charges[i] = outcome == 'settled' and amounts[i] or 0
  -- What is held keeps its counter. An unknown key is charged also in a new counter, unless its window is forgotten.
  local isForgotten = not counter.exists and state ~= 'held'
    and (state ~= 'none' or (endsAt[i] ~= nil and endsAt[i] + retentionMs <= now))
  if isForgotten then
    forgottenCounters = forgottenCounters + 1
  else
    local freed = state == 'held' and reservation.amounts[i] or 0
    local before = state ~= 'held' and reservation.charges and reservation.charges[i] or 0
    replaceCharge(counter, freed, before, charges[i])
    keep(counter, laterForget(keptUntil[i], forgetAt))
    writeCounter(counter)
  end
end
writeResolved(key, outcome, reservation, names, charges, {
  fingerprint = fingerprint, revision = revision, leaseEnd = leaseEnd, forgetAt = forgetAt,
})
if ledgerRetentionMs > 0 then
  local at = entry.at or now
  writeEntry(KEYS[3], KEYS[7], key, at, entryText(at, outcome, revision, 1, chargesText(names, charges), json), now, ledgerRetentionMs)
end
writeTime(KEYS[6], now, latest)
local isRecovered = isDamaged or (state == 'none' and outcome == 'settled')
return report({ outcome, text(now), 0, state == 'expired' and 1 or 0, isRecovered and 1 or 0, forgottenCounters }, counters)
