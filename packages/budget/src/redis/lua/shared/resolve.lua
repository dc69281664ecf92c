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

-- Whether a reservation was made in exactly these counters.
local function hasNames(reservation, names)
  for i = 1, #names do
    if not reservation.amounts[names[i]] then return false end
  end
  return #names == #reservation.names
end

-- Appends a counter to a reply: spent, reserved, granted, peakBefore, peak.
local function append(reply, counter, spent, reserved, peak)
  local last = #reply
  reply[last + 1], reply[last + 2], reply[last + 3] = spent, reserved, counter[GRANTED]
  reply[last + 4], reply[last + 5] = counter[PEAK], peak
end

local function appendUnchanged(reply, counter)
  append(reply, counter, counter[SPENT], counter[RESERVED], counter[PEAK])
end

-- Charges `charge` to counter i in place of what a reservation had reserved and charged there, and appends the counter to the
-- reply.
local function replaceCharge(reply, i, counter, reservedBefore, chargedBefore, charge, forgetAt)
  local key, total = KEYS[FIRST_COUNTER_KEY - 1 + i], limited(counter[SPENT] + (charge - chargedBefore))
  local spent, reserved, peak = text(total), text(math.max(0, counter[RESERVED] - reservedBefore)), counter[PEAK]
  if total > tonumber(peak) then
    peak = spent
    writeCounter(key, counter, reserved, forgetAt, 'spent', spent, 'peak', peak)
  else
    writeCounter(key, counter, reserved, forgetAt, 'spent', spent)
  end
  append(reply, counter, spent, reserved, peak)
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
