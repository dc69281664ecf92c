--- @include "values"
--- @include "time"

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
