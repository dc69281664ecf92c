--- @include "values"
--- @include "time"

-- A counter is a hash of spent, reserved, granted, peak and forgetAt (0: never). In the scripts it is an array of these fields,
-- which remain strings: Lua converts them in arithmetic, not in comparisons.
local SPENT, RESERVED, GRANTED, PEAK, FORGET_AT = 1, 2, 3, 4, 5

-- Reads a counter: zeros if it is absent or forgotten (`isNew`), nil if its record is damaged.
local function readCounter(key, now)
  local counter = redis.pcall('HMGET', key, 'spent', 'reserved', 'granted', 'peak', 'forgetAt')
  if counter.err then return checkType(counter) end
  local reserved, forgetAt = integer(counter[RESERVED]), integer(counter[FORGET_AT])
  if reserved and reserved >= 0 and forgetAt and integer(counter[SPENT]) and integer(counter[GRANTED]) and integer(counter[PEAK]) then
    if reserved > 0 or forgetAt == 0 or forgetAt > now then return counter end
  elseif redis.call('EXISTS', key) == 1 then
    return nil
  end
  return { '0', '0', '0', '0', '0', isNew = true }
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
