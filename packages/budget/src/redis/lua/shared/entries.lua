--- @include "values"

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
