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
    counters[#counters + 1] = counter
  end
  return counters
end

local function replaceCharge(counter, freed, before, charge)
  counter.reserved = math.max(0, counter.reserved - freed)
  counter.spent = limited(counter.spent + (charge - before))
  counter.peak = math.max(counter.peak, counter.spent)
end

-- Ends the reservation of a key, in whatever state it was.
local function writeResolved(key, state, before, names, charges, after)
  local fields = {
    '@state', state, '@fingerprint', after.fingerprint, '@revision', text(after.revision),
    '@leaseEnd', text(after.leaseEnd), '@forgetAt', text(after.forgetAt), '@counters', #names,
  }
  for i, name in ipairs(names) do
    local n = #fields
    fields[n + 1] = name
    fields[n + 2] = text(before.amounts[i] or 0) .. ' ' .. text(before.onExpire[i] or 0) .. ' ' .. text(charges[i])
  end
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('PEXPIREAT', KEYS[1], text(after.forgetAt + CLOCK_MARGIN_MS))
  redis.call('ZREM', KEYS[4], key)
  redis.call('SREM', KEYS[5], key)
end

-- Appends the counters to a reply.
local function report(reply, counters)
  for _, counter in ipairs(counters) do
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = text(counter.spent), text(counter.reserved), text(counter.granted)
    reply[n + 4], reply[n + 5] = text(counter.peakBefore), text(counter.peak)
  end
  return reply
end
