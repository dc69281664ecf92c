-- How values and records are kept: shared by all scripts.

-- Numbers are integers within ±(2^53 − 1). `tostring` and `..` keep 14 digits, so `text` is the only way to write one. Replies
-- hold times as numbers, but amounts as strings, because ioredis 6 misreads integers near 2^53.
local MAX = 9007199254740991
-- `%d` takes less than half the time of `%.0f`, but keeps all digits only where a `long` of C has 64 bits.
local FORMAT = string.format('%d', MAX) == '9007199254740991' and '%d' or '%.0f'

-- The integer that a field holds; nil if it is missing or holds anything else.
local function integer(field)
  local n = tonumber(field)
  return n and n % 1 == 0 and n >= -MAX and n <= MAX and n or nil
end

local function text(n)
  return string.format(FORMAT, n)
end

local function limited(n)
  return n > MAX and MAX or n < -MAX and -MAX or n
end

-- Nil for the error reply of a command that reads a key of another type. Any other error ends the script, which has written
-- nothing yet.
local function checkType(reply)
  if string.sub(reply.err, 1, 9) ~= 'WRONGTYPE' then error(reply.err, 0) end
  return nil
end

-- Runs a command that reads. Nil if the key has another type.
local function read(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then return checkType(reply) end
  return reply
end

-- Redis deletes a record this long after its forgetAt, so that nothing is lost when a clock jumps ahead and back.
local CLOCK_MARGIN_MS = 604800000

-- The server's clock in milliseconds (or the clock that a test passed); `now`, the later of the clock and the partition's latest
-- time; and that time. `now` is nil if the record of the time is damaged.
local function readTime(timeKey, given)
  local clock
  if given == '' then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  else
    clock = tonumber(given)
  end
  local stored = read('GET', timeKey)
  if stored == false then return clock, clock, 0 end
  local latest = integer(stored)
  if not latest then return clock end
  return clock, math.max(clock, latest), latest
end

local function writeTime(timeKey, now, latest)
  if now > latest then redis.call('SET', timeKey, text(now), 'PXAT', text(now + 2 * CLOCK_MARGIN_MS)) end
end

-- A counter is a hash of spent, reserved, granted, peak and forgetAt (0: never). In the scripts it is an array of these fields,
-- which remain strings: Lua converts them in arithmetic, not in comparisons.
local SPENT, RESERVED, GRANTED, PEAK, FORGET_AT = 1, 2, 3, 4, 5

-- The fields of a counter as numbers, or nothing if one is not an integer. Raises an error if one is not a number: arithmetic
-- converts a string in half the time of `tonumber`.
local function numbersOf(counter)
  local spent, reserved, granted = counter[SPENT] + 0, counter[RESERVED] + 0, counter[GRANTED] + 0
  local peak, forgetAt = counter[PEAK] + 0, counter[FORGET_AT] + 0
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

-- A reservation is a hash. Its own fields begin with @, which no counter name contains; every other field is the name of a
-- counter and holds "amount onExpire charge".

-- Reads a reservation; `state` is `none` if it is absent or forgotten (`isForgotten`: the record is still there), and the result is
-- nil if its record is damaged. `names`: the counters in which it was made. `amounts`, `onExpire` and `charges` are strings by counter name.
local function readReservation(key, now)
  local fields = read('HGETALL', key)
  if not fields then return nil end
  if #fields == 0 then return { state = 'none' } end
  local own, names, amounts, onExpire, charges = {}, {}, {}, {}, {}
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if string.byte(name) == 64 then
      own[name] = value
    else
      names[#names + 1] = name
      amounts[name], onExpire[name], charges[name] = string.match(value, '^(%d+) (%d+) (%d+)$')
      if not amounts[name] then return nil end
    end
  end
  local state, fingerprint, leaseEnd = own['@state'], own['@fingerprint'], integer(own['@leaseEnd'])
  if not (fingerprint and leaseEnd and #names == integer(own['@counters'])) then return nil end
  local revision
  if state == 'settled' or state == 'released' or state == 'expired' then
    local forgetAt = integer(own['@forgetAt'])
    revision = integer(own['@revision'])
    if not (revision and forgetAt) then return nil end
    if forgetAt <= now then return { state = 'none', isForgotten = true } end
  elseif state ~= 'held' then
    return nil
  end
  return {
    state = state, fingerprint = fingerprint, revision = revision, leaseEnd = leaseEnd,
    names = names, amounts = amounts, onExpire = onExpire, charges = charges,
  }
end

-- A usage entry is one JSON string. The caller's part is copied into it and never parsed:
-- {"at":…,"state":"…","revision":…,"count":…,"charges":{"<counter>":…},"entry":<the caller's JSON>}

-- Reads an entry: state `none` if it is absent or forgotten, nil if its record is damaged.
local function readEntry(key, now, retentionMs)
  local stored = read('GET', key)
  if stored == nil then return nil end
  if not stored then return { state = 'none' } end
  local at, state, count, rest = string.match(stored, '^{"at":(%d+),"state":"(%a+)","revision":%d+,"count":(%d+),"charges":(.*)$')
  if not at then return nil end
  if at + retentionMs <= now then return { state = 'none' } end
  return { at = tonumber(at), state = state, count = tonumber(count), rest = rest }
end

-- `charges`: JSON members. Counter names need no escaping.
local function entryText(at, state, revision, count, charges, json)
  return '{"at":' .. text(at) .. ',"state":"' .. state .. '","revision":' .. text(revision) .. ',"count":' .. text(count)
    .. ',"charges":{' .. table.concat(charges, ',') .. '},"entry":' .. json .. '}'
end

-- Writes an entry. Redis deletes it when it expires; each write removes up to 100 expired keys from the index.
local function writeEntry(entryKey, entriesKey, key, at, json, now, retentionMs)
  redis.call('SET', entryKey, json, 'PXAT', text(at + retentionMs + CLOCK_MARGIN_MS))
  redis.call('ZADD', entriesKey, text(at), key)
  redis.call('PEXPIREAT', entriesKey, text(now + retentionMs + CLOCK_MARGIN_MS))
  local deletedBefore = text(now - retentionMs - CLOCK_MARGIN_MS)
  local deleted = redis.call('ZRANGEBYSCORE', entriesKey, '-inf', deletedBefore, 'LIMIT', 0, 100)
  if #deleted > 0 then redis.call('ZREM', entriesKey, unpack(deleted)) end
end
