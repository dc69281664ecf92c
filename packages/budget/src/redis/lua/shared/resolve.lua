--- @include "counter"
--- @include "reservation"
--- @include "entry"

-- Shared by the scripts that end a reservation.
-- KEYS: 1 reservation, 2 pending entry, 3 entry, 4 leases, 5 damaged, 6 time, 7 entries, 8... counters
local FIRST_COUNTER_KEY = 8

-- The declared counters; nil if one is damaged.
local function readCounters(now)
  local counters = {}
  for i = FIRST_COUNTER_KEY, #KEYS do
    local counter = readCounter(KEYS[i], now)
    if not counter then return nil end
    counters[i - FIRST_COUNTER_KEY + 1] = counter
  end
  return counters
end

-- Frees `freed` and charges `charge` in place of `before`. Returns the counter as a reply shows it.
local function replaceCharge(counter, freed, before, charge, forgetAt)
  counter.reserved = math.max(0, counter.reserved - freed)
  counter.spent = limited(counter.spent + (charge - before))
  local spent, reserved, peak = text(counter.spent), text(counter.reserved), counter.before[4]
  if counter.spent > counter.peak then peak = spent end
  writeCounter(counter, forgetAt, 'spent', spent, 'reserved', reserved, 'peak', peak)
  return { spent, reserved, counter.before[3], counter.before[4], peak }
end

-- A counter that did not change, as a reply shows it.
local function unchanged(counter)
  local before = counter.before
  return { before[1], before[2], before[3], before[4], before[4] }
end

-- Ends the reservation of a key, in whatever state it was. `fields`: names and texts of its counters.
local function writeResolved(key, reservation, fields)
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], '@state', reservation.state, '@fingerprint', reservation.fingerprint,
    '@revision', text(reservation.revision), '@leaseEnd', text(reservation.leaseEnd),
    '@forgetAt', text(reservation.forgetAt), '@counters', #KEYS - FIRST_COUNTER_KEY + 1, unpack(fields))
  redis.call('PEXPIREAT', KEYS[1], text(reservation.forgetAt + CLOCK_MARGIN_MS))
  redis.call('ZREM', KEYS[4], key)
  redis.call('SREM', KEYS[5], key)
end
