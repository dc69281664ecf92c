--- @include "entries"

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
