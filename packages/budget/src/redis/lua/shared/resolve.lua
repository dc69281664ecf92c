--- @include "counter"
--- @include "reservation"
--- @include "write-entry"

-- Shared by the scripts that end a reservation.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 damaged, 6 time, 7 entries, 8... counters
local FIRST_COUNTER_KEY = 8

-- Reads the declared counters; nil if one is damaged.
local function readCounters(now)
  local counters = {}
  for i = FIRST_COUNTER_KEY, #KEYS do
    local counter = readCounter(KEYS[i], now)
    if not counter then return nil end
    counters[i - FIRST_COUNTER_KEY + 1] = counter
  end
  return counters
end

-- Appends a counter to a reply: spent, reserved, granted, peakBefore, peak.
local function report(reply, counter, spent, reserved, peak)
  local n, before = #reply, counter.before
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] = spent, reserved, before[3], before[4], peak
end

local function reportUnchanged(reply, counter)
  local before = counter.before
  report(reply, counter, before[1], before[2], before[4])
end

-- Frees `freed`, charges `charge` in place of `chargedBefore`, and appends the counter to the reply.
local function replaceCharge(reply, counter, freed, chargedBefore, charge, forgetAt)
  counter.reserved = math.max(0, counter.reserved - freed)
  local total = limited(counter.spent + (charge - chargedBefore))
  local spent, reserved, peak = text(total), text(counter.reserved), counter.before[4]
  if total > tonumber(peak) then
    peak = spent
    writeCounter(counter, forgetAt, 'spent', spent, 'reserved', reserved, 'peak', peak)
  else
    writeCounter(counter, forgetAt, 'spent', spent, 'reserved', reserved)
  end
  report(reply, counter, spent, reserved, peak)
end

-- Writes the final state of a key, whatever its state was. `fields`: names and values of its counters.
local function writeResolved(key, state, fingerprint, revision, leaseEnd, forgetAt, fields)
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], '@state', state, '@fingerprint', fingerprint, '@revision', revision, '@leaseEnd', text(leaseEnd),
    '@forgetAt', text(forgetAt), '@counters', #fields / 2, unpack(fields))
  redis.call('PEXPIREAT', KEYS[1], text(forgetAt + CLOCK_MARGIN_MS))
  redis.call('ZREM', KEYS[4], key)
  redis.call('SREM', KEYS[5], key)
end
