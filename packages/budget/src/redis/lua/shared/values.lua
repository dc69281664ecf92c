-- Numbers are integers within ±(2^53 − 1). `tostring` and `..` keep 14 digits, so `text` is the only way to write one.
local MAX = 9007199254740991

-- The integer that a field holds; nil if it is missing or holds anything else.
local function integer(field)
  local n = tonumber(field)
  return n and n % 1 == 0 and n >= -MAX and n <= MAX and n or nil
end

local function text(n)
  return string.format('%.0f', n)
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
