--- @include "numbers"
--- @include "read"

-- A reservation is a hash. Its own fields begin with @, which no counter name contains; every other field is the name of a
-- counter and holds "amount onExpire charge".
local NONE = { state = 'none', amounts = {}, onExpire = {} }
local STATES = { held = true, settled = true, released = true, expired = true }

-- A reservation with the amounts of the counters in `names`, in their order; `{ state = 'none' }` if it is absent or
-- forgotten, nil if its record is damaged. `sameCounters`: it was made in exactly these counters.
local function readReservation(key, now, names)
  local v = read('HMGET', key, '@state', '@fingerprint', '@revision', '@leaseEnd', '@forgetAt', '@counters', unpack(names))
  if not v then return nil end
  local state, revision, leaseEnd, forgetAt, count = v[1], integer(v[3]), integer(v[4]), integer(v[5]), integer(v[6])
  if not (STATES[state] and v[2] and revision and leaseEnd and forgetAt and count) then
    if redis.call('EXISTS', key) == 1 then return nil end
    return NONE
  end
  if state ~= 'held' and forgetAt <= now then return NONE end
  local reservation = {
    state = state, fingerprint = v[2], revision = revision, leaseEnd = leaseEnd,
    amounts = {}, onExpire = {}, charges = {}, sameCounters = count == #names,
  }
  for i = 1, #names do
    local field = v[6 + i]
    if field then
      local amount, onExpire, charge = string.match(field, '^(%d+) (%d+) (%d+)$')
      if not amount then return nil end
      reservation.amounts[i], reservation.onExpire[i], reservation.charges[i] = tonumber(amount), tonumber(onExpire), tonumber(charge)
    else
      reservation.sameCounters = false
    end
  end
  return reservation
end

-- Names of the counters that a reservation was made in.
local function counterNames(key)
  local names = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 1) ~= '@' then names[#names + 1] = field end
  end
  return names
end
