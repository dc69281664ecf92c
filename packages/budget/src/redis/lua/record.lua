-- Writes an entry without money, or adds to its count if it was written before.
-- KEYS: 1 entry, 2 entries, 3 time
-- ARGV: 1 clock ('' the server's), 2 key, 3 ledgerRetentionMs, 4 count, 5 entry
-- Reply: ok, now
--- @include "shared/records"
local key, ledgerRetentionMs, count = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local _, now = readTime(KEYS[3], ARGV[1])
if not now then return { 'corrupt', 'time' } end
local entry = readEntry(KEYS[1], now, ledgerRetentionMs)
if not entry then return { 'corrupt', 'entry' } end
if entry.state == 'none' then
  writeEntry(KEYS[1], KEYS[2], key, now, entryText(now, 'recorded', 0, count, {}, ARGV[5]), now, ledgerRetentionMs)
elseif entry.state == 'recorded' then
  local json = string.match(entry.rest, '^{},"entry":(.*)}$')
  if not json then return { 'corrupt', 'entry' } end
  local more = limited(entry.count + count)
  writeEntry(KEYS[1], KEYS[2], key, entry.at, entryText(entry.at, 'recorded', 0, more, {}, json), now, ledgerRetentionMs)
end
return { 'ok', now }
