--- @include "numbers"
--- @include "read"
--- @include "time"

-- A counter; zeros if it is absent or forgotten, nil if its record is damaged. `forgetAt` 0 stands for never.
local function readCounter(key, now)
  local v = read('HMGET', key, 'spent', 'reserved', 'granted', 'peak', 'forgetAt')
  if not v then return nil end
  local spent, reserved, granted = integer(v[1]), integer(v[2]), integer(v[3])
  local peak, forgetAt = integer(v[4]), integer(v[5])
  local exists = true
  if not (spent and reserved and granted and peak and forgetAt) then
    if v[1] or v[2] or v[3] or v[4] or v[5] or redis.call('EXISTS', key) == 1 then return nil end
    exists, spent, reserved, granted, peak, forgetAt = false, 0, 0, 0, 0, 0
  elseif reserved < 0 or forgetAt < 0 then
    return nil
  end
  local expires = exists and reserved == 0 and forgetAt > 0
  if expires and forgetAt <= now then
    exists, spent, granted, peak, forgetAt = false, 0, 0, 0, 0
  end
  return {
    key = key, exists = exists, expires = expires,
    spent = spent, reserved = reserved, granted = granted, peak = peak, forgetAt = forgetAt,
    spentBefore = spent, reservedBefore = reserved, grantedBefore = granted, peakBefore = peak, forgetAtBefore = forgetAt,
  }
end

-- When a counter that is touched now may be forgotten; 0: never.
local function forgetTime(endsAt, keepMs, retentionMs, now)
  if endsAt then return endsAt + retentionMs end
  if keepMs then return now + keepMs end
  return 0
end

-- The later of two such times.
local function laterForget(a, b)
  if a == 0 or b == 0 then return 0 end
  return math.max(a, b)
end

-- Keeps a counter until `forgetAt` at least.
local function keep(counter, forgetAt)
  counter.forgetAt = counter.exists and laterForget(counter.forgetAt, forgetAt) or forgetAt
end

-- Writes what changed, and when Redis deletes the record: never while something is reserved.
local function writeCounter(counter)
  local key = counter.key
  if not counter.exists then
    redis.call('HSET', key, 'spent', text(counter.spent), 'reserved', text(counter.reserved), 'granted', text(counter.granted),
      'peak', text(counter.peak), 'forgetAt', text(counter.forgetAt))
  else
    local changes = {}
    for _, field in ipairs({ 'spent', 'reserved', 'granted', 'peak', 'forgetAt' }) do
      if counter[field] ~= counter[field .. 'Before'] then
        changes[#changes + 1] = field
        changes[#changes + 1] = text(counter[field])
      end
    end
    if #changes > 0 then redis.call('HSET', key, unpack(changes)) end
  end
  if counter.reserved == 0 and counter.forgetAt > 0 then
    if not counter.expires or counter.forgetAt ~= counter.forgetAtBefore then
      redis.call('PEXPIREAT', key, text(counter.forgetAt + CLOCK_MARGIN_MS))
    end
  elseif counter.expires then
    redis.call('PERSIST', key)
  end
end
