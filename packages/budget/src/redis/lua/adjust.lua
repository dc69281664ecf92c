-- A correction, a top-up or a reset of one counter, once per key.
-- KEYS: 1 adjustment, 2 counter, 3 time
-- ARGV: 1 clock ('' the server's), 2 counter name, 3 kind, 4 delta, 5 retentionMs, 6 startsAt and
--       7 endsAt ('' for null), 8 keep (see forgetTime)
-- Reply: ok, now, replayed, applied, spent, reserved, granted, peakBefore, peak. Or: mismatch | stale-window, now
--- @include "shared/records"
-- Adjustments of counters without a window are kept at least this long.
local ENDLESS_MS = 90 * 86400000
local name, kind, delta, retentionMs = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local startsAt, endsAt, keep = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]

local clock, now, latest = readTime(KEYS[3], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local counter, spent, _, granted = readCounter(KEYS[2], now)
if not counter then return { 'corrupt', 'counter' } end
local stored = read('HMGET', KEYS[1], 'counter', 'kind', 'delta', 'applied', 'forgetAt')
if not stored then return { 'corrupt', 'adjustment' } end

local peak = tonumber(counter[PEAK])
local function reply(replayed, applied)
  return { 'ok', now, replayed, text(applied), text(spent), counter[RESERVED], text(granted), counter[PEAK], text(peak) }
end

local storedDelta, storedApplied, storedForgetAt = integer(stored[3]), integer(stored[4]), integer(stored[5])
if stored[1] and stored[2] and storedDelta and storedApplied and storedForgetAt then
  if storedForgetAt > now then
    if stored[1] ~= name or stored[2] ~= kind or storedDelta ~= delta then return { 'mismatch', now } end
    return reply(1, storedApplied)
  end
elseif redis.call('EXISTS', KEYS[1]) == 1 then
  return { 'corrupt', 'adjustment' }
end
if (startsAt and now < startsAt) or (endsAt and now >= endsAt) then return { 'stale-window', now } end

local applied
if kind == 'granted' then
  granted = limited(granted + delta)
  applied = granted - counter[GRANTED]
else
  spent = kind == 'reset' and 0 or limited(spent + delta)
  peak = kind == 'reset' and 0 or math.max(peak, spent)
  applied = spent - counter[SPENT]
end
writeCounter(KEYS[2], counter, counter[RESERVED], forgetTime(keep, now),
  'spent', text(spent), 'granted', text(granted), 'peak', text(peak))
local forgetAt = endsAt and endsAt + retentionMs or now + math.max(ENDLESS_MS, retentionMs)
redis.call('HSET', KEYS[1], 'counter', name, 'kind', kind, 'delta', text(delta), 'applied', text(applied), 'forgetAt', text(forgetAt))
redis.call('PEXPIREAT', KEYS[1], text(forgetAt + CLOCK_MARGIN_MS))
writeTime(KEYS[3], now, latest)
return reply(0, applied)
