--- @include "values"

-- Redis deletes a record this long after its forgetAt, so that nothing is lost when a clock jumps ahead and back.
local CLOCK_MARGIN_MS = 604800000

-- The server's clock in milliseconds (or the clock that a test passed); `now`, the later of the clock and the partition's latest
-- time; and that time. `now` is nil if the record of the time is damaged.
local function readTime(timeKey, given)
  local clock = tonumber(given)
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local stored = read('GET', timeKey)
  if stored == false then return clock, clock, 0 end
  local latest = integer(stored)
  if not latest then return clock end
  return clock, math.max(clock, latest), latest
end

local function writeTime(timeKey, now, latest)
  if now > latest then redis.call('SET', timeKey, text(now), 'PXAT', text(now + 2 * CLOCK_MARGIN_MS)) end
end
