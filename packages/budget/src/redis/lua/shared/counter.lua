--- @include "numbers"
--- @include "read"
--- @include "time"

-- A counter is a hash of spent, reserved, granted, peak and forgetAt (0: never).
local ZEROS = { '0', '0', '0', '0', '0' }

-- Reads a counter: zeros if it is absent or forgotten, nil if its record is damaged. `before`: its five fields as strings, peak
-- is the fourth. `expires`: the key has an expiry in Redis.
local function readCounter(key, now)
  local before = redis.pcall('HMGET', key, 'spent', 'reserved', 'granted', 'peak', 'forgetAt')
  if before.err then return checkType(before) end
  local spent, reserved, granted = tonumber(before[1]), tonumber(before[2]), tonumber(before[3])
  local peak, forgetAt = tonumber(before[4]), tonumber(before[5])
  if spent and reserved and granted and peak and forgetAt then
    if reserved < 0 or not (isInteger(spent) and isInteger(reserved) and isInteger(granted) and isInteger(peak) and isInteger(forgetAt)) then return nil end
    local expires = reserved == 0 and forgetAt > 0
    if not expires or forgetAt > now then
      return {
        key = key, before = before, exists = true, expires = expires,
        spent = spent, reserved = reserved, granted = granted, forgetAt = forgetAt,
      }
    end
  elseif redis.call('EXISTS', key) == 1 then
    return nil
  end
  return {
    key = key, before = ZEROS, exists = false, expires = forgetAt ~= nil,
    spent = 0, reserved = 0, granted = 0, forgetAt = 0,
  }
end

-- The time from which a counter may be forgotten; 0: never. `keep`: '' for ever, '+ms' from now, or a time.
local function forgetTime(keep, now)
  if keep == '' then return 0 end
  if string.byte(keep) == 43 then return now + keep end
  return tonumber(keep)
end

-- The later of two such times, where 0 is never.
local function laterForget(a, b)
  if a == 0 or b == 0 then return 0 end
  return math.max(a, b)
end

-- Writes fields of a counter, given as names and strings, and keeps the counter at least until `forgetAt`. Redis deletes it
-- some time later, but never while an amount is reserved.
local function writeCounter(counter, forgetAt, ...)
  local key = counter.key
  if counter.exists then forgetAt = laterForget(counter.forgetAt, forgetAt) end
  local isSameTime = forgetAt == counter.forgetAt
  if not counter.exists then
    redis.call('HSET', key, 'spent', '0', 'reserved', '0', 'granted', '0', 'peak', '0', 'forgetAt', text(forgetAt), ...)
  elseif isSameTime then
    redis.call('HSET', key, ...)
  else
    redis.call('HSET', key, 'forgetAt', text(forgetAt), ...)
  end
  if counter.reserved == 0 and forgetAt > 0 then
    if not (counter.expires and isSameTime) then redis.call('PEXPIREAT', key, text(forgetAt + CLOCK_MARGIN_MS)) end
  elseif counter.expires then
    redis.call('PERSIST', key)
  end
end
