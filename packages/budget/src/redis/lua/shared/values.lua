-- Numbers and times: shared by all scripts.

-- Numbers are integers within ±(2^53 − 1). `tostring` and `..` keep 14 digits, so `text` is the only way to write one.
local MAX = 9007199254740991
-- Replies hold times as numbers and amounts as strings: ioredis 6 misreads integers near 2^53.
-- `%d` takes less than half the time of `%.0f`, but keeps all digits only where a `long` of C has 64 bits.
local FORMAT = string.format('%d', MAX) == '9007199254740991' and '%d' or '%.0f'

-- The integer that a field holds; nil if it is missing or holds anything else.
local function integer(field)
  if field == '0' then return 0 end
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
