--- @include "values"

-- A counter is a hash of spent, reserved, granted, peak and forgetAt (0: never). In the scripts it is an array of these fields,
-- which remain strings: Lua converts them in arithmetic, not in comparisons.
local SPENT, RESERVED, GRANTED, PEAK, FORGET_AT = 1, 2, 3, 4, 5

-- The fields of a counter as numbers, or nothing if one is not an integer. Raises an error if one is not a number: arithmetic
-- converts a string in half the time of `tonumber`.
local function numbersOf(counter)
  local spent, reserved, granted = counter[SPENT] + 0, counter[RESERVED] + 0, counter[GRANTED] + 0
  local peak = counter[PEAK] == counter[SPENT] and spent or counter[PEAK] + 0
  local forgetAt = counter[FORGET_AT] + 0
  if spent % 1 + reserved % 1 + granted % 1 + peak % 1 + forgetAt % 1 ~= 0 then return end
  if math.max(spent, reserved, granted, peak, forgetAt) > MAX or math.min(spent, granted, peak, forgetAt) < -MAX then return end
  return spent, reserved, granted, forgetAt
end

-- Reads a counter, and its first three fields as numbers: zeros if it is absent or forgotten (`isNew`), nil if its record is
-- damaged.
local function readCounter(key, now)
  local counter = redis.pcall('HMGET', key, 'spent', 'reserved', 'granted', 'peak', 'forgetAt')
  if counter.err then return checkType(counter) end
  local isNumeric, spent, reserved, granted, forgetAt = pcall(numbersOf, counter)
  if isNumeric and spent and reserved >= 0 then
    if reserved > 0 or forgetAt == 0 or forgetAt > now then return counter, spent, reserved, granted end
  elseif redis.call('EXISTS', key) == 1 then
    return nil
  end
  return { '0', '0', '0', '0', '0', isNew = true }, 0, 0, 0
end

-- The time from which a counter may be forgotten; 0: never. `keep`: 0, a time, or a negative number of milliseconds from now.
local function forgetTime(keep, now)
  local time = tonumber(keep)
  return time < 0 and now - time or time
end

-- Writes `reserved` and other fields of a counter, given as names and strings, and keeps the counter at least until `forgetAt`
-- (0: for ever). Redis deletes it some time later, but never while an amount is reserved.
local function writeCounter(key, counter, reserved, forgetAt, ...)
  local before = tonumber(counter[FORGET_AT])
  local expired = counter[RESERVED] == '0' and before > 0
  if counter.isNew then
    redis.call('HSET', key, 'spent', '0', 'reserved', reserved, 'granted', '0', 'peak', '0', 'forgetAt', text(forgetAt), ...)
  elseif before == 0 or (forgetAt > 0 and forgetAt <= before) then
    forgetAt = before
    redis.call('HSET', key, 'reserved', reserved, ...)
  else
    redis.call('HSET', key, 'reserved', reserved, 'forgetAt', text(forgetAt), ...)
  end
  if reserved ~= '0' or forgetAt == 0 then
    if expired or counter.isNew then redis.call('PERSIST', key) end
  elseif not expired or forgetAt ~= before then
    redis.call('PEXPIREAT', key, text(forgetAt + CLOCK_MARGIN_MS))
  end
end
