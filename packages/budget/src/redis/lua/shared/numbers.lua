-- Numbers are integers within ±(2^53 − 1). `tostring` and `..` keep 14 digits, so `text` is the only way to write one.
local MAX = 9007199254740991

-- The integer that a field holds; nil if it is missing or holds anything else.
local function integer(field)
  local n = tonumber(field)
  if n and n % 1 == 0 and n >= -MAX and n <= MAX then return n end
end

local function text(n)
  return string.format('%.0f', n)
end

local function limited(n)
  return math.max(-MAX, math.min(MAX, n))
end
