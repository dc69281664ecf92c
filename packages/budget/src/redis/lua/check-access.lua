-- Finds the commands of the other scripts that the connection's user may not run. Tries each on a key that it deletes at the end.
-- KEYS: 1 a key that no other script uses
-- Reply: names of denied commands
local key, denied = KEYS[1], {}
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return end
  if string.find(reply.err, 'NOPERM', 1, true) or string.find(reply.err, "can't run this command", 1, true) then
    denied[#denied + 1] = (...)
  end
end
try('DEL', key)
if #denied > 0 then return denied end
try('SET', key, '1', 'PXAT', '1')
try('GET', key)
try('EXISTS', key)
try('HSET', key, 'field', '1')
try('HMGET', key, 'field')
try('HGETALL', key)
try('HKEYS', key)
try('PEXPIREAT', key, '99999999999999')
try('PERSIST', key)
redis.pcall('DEL', key)
for _, command in ipairs({ 'ZADD', 'SADD' }) do
  try(command, key, '1', command == 'ZADD' and '1' or nil)
end
redis.pcall('DEL', key)
try('ZREM', key, '1')
try('ZCOUNT', key, '0', '1')
try('ZCARD', key)
try('ZSCORE', key, '1')
try('ZRANK', key, '1')
try('ZRANGE', key, '0', '1')
try('ZREVRANGE', key, '0', '1')
try('ZRANGEBYSCORE', key, '0', '1')
try('SREM', key, '1')
try('SRANDMEMBER', key)
try('TIME')
try('SCAN', '0', 'COUNT', '1')
try('INFO', 'server')
redis.pcall('DEL', key)
return denied
