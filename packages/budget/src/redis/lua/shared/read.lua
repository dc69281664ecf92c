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

-- The reply if a record is damaged. Nothing was written.
local function corrupt(what)
  return { 'corrupt', what }
end
