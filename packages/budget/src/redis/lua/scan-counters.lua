-- Reads a page of the partition's counter names. SCAN reads one node only: the second key, which never exists, makes the node
-- reply TRYAGAIN while it does not have the whole slot. A cursor of another node starts again.
-- KEYS: 1 time, 2 a key that never exists
-- ARGV: 1 pattern, 2 node that the cursor belongs to, 3 cursor, 4 how many keys to scan
-- Reply: ok, node, next cursor (0: done), keys
local node = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local cursor = ARGV[2] == node and ARGV[3] or '0'
local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', ARGV[4])
return { 'ok', node, page[1], page[2] }
