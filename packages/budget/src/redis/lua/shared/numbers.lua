-- Numbers are integers within ±(2^53 − 1). `tostring` and `..` keep 14 digits, so `text` is the only way to write one.
local MAX = 9007199254740991

local function isInteger(n)
  return n and n % 1 == 0 and n >= -MAX and n <= MAX
end

-- The integer that a field holds; nil if it is missing or holds anything else.
local function integer(field)
  local n = tonumber(field)
  return isInteger(n) and n or nil
end

local function text(n)
  return string.format('%.0f', n)
end

local function limited(n)
  return math.max(-MAX, math.min(MAX, n))
end
