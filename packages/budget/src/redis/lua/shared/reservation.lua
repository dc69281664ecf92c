--- @include "numbers"
--- @include "read"

-- A reservation is a hash. Its own fields begin with @, which no counter name contains; every other field is the name of a
-- counter and holds "amount onExpire charge".
local OWN_FIELDS = 6
local STATES = { held = true, settled = true, released = true, expired = true }

-- Reads a reservation with the amounts of the counters in `names`, in their order. `state` is `none` if it is absent or
-- forgotten. `hasNames`: it was made in exactly these counters. Nil if its record is damaged.
local function readReservation(key, now, names)
  local v = read('HMGET', key, '@state', '@fingerprint', '@revision', '@leaseEnd', '@forgetAt', '@counters', unpack(names))
  if not v then return nil end
  local state, fingerprint, count = v[1], v[2], integer(v[6])
  local revision, leaseEnd, forgetAt = integer(v[3]), integer(v[4]), integer(v[5])
  if not (STATES[state] and fingerprint and revision and leaseEnd and forgetAt and count) then
    if redis.call('EXISTS', key) == 1 then return nil end
    return { state = 'none' }
  end
  if redis.call('HLEN', key) ~= OWN_FIELDS + count then return nil end
  if state ~= 'held' and forgetAt <= now then return { state = 'none', isForgotten = true } end
  local amounts, onExpire, charges, hasNames = {}, {}, {}, count == #names
  for i = 1, #names do
    local field = v[OWN_FIELDS + i]
    if field then
      amounts[i], onExpire[i], charges[i] = string.match(field, '^(%d+) (%d+) (%d+)$')
      if not amounts[i] then return nil end
    else
      hasNames = false
    end
  end
  return {
    state = state, fingerprint = fingerprint, revision = revision, leaseEnd = leaseEnd,
    hasNames = hasNames, amounts = amounts, onExpire = onExpire, charges = charges,
  }
end

-- Names of the counters in which a reservation was made.
local function counterNames(key)
  local names = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 1) ~= '@' then names[#names + 1] = field end
  end
  return names
end
