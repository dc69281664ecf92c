--- @include "records"

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

-- A counter in a reply: spent, reserved, granted, peakBefore, peak.
local function unchanged(counter)
  return { counter[SPENT], counter[RESERVED], counter[GRANTED], counter[PEAK], counter[PEAK] }
end

-- Charges `charge` to counter i in place of what a reservation had reserved and charged there. Returns the counter as in a reply.
local function replaceCharge(i, counter, reservedBefore, chargedBefore, charge, forgetAt)
  local key, total = KEYS[FIRST_COUNTER_KEY - 1 + i], limited(counter[SPENT] + (charge - chargedBefore))
  local spent, reserved, peak = text(total), text(math.max(0, counter[RESERVED] - reservedBefore)), counter[PEAK]
  if total > tonumber(peak) then
    peak = spent
    writeCounter(key, counter, reserved, forgetAt, 'spent', spent, 'peak', peak)
  else
    writeCounter(key, counter, reserved, forgetAt, 'spent', spent)
  end
  return { spent, reserved, counter[GRANTED], counter[PEAK], peak }
end

-- Writes the final state of a key, regardless of its previous state. `fields`: names and values of its counters.
local function writeResolved(key, state, fingerprint, revision, leaseEnd, forgetAt, fields)
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], '@state', state, '@fingerprint', fingerprint, '@revision', revision, '@leaseEnd', text(leaseEnd),
    '@forgetAt', text(forgetAt), '@counters', #fields / 2, unpack(fields))
  redis.call('PEXPIREAT', KEYS[1], text(forgetAt + CLOCK_MARGIN_MS))
  redis.call('ZREM', KEYS[4], key)
  redis.call('SREM', KEYS[5], key)
end
