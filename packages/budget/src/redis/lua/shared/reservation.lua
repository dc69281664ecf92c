--- @include "numbers"
--- @include "read"

-- A reservation is a hash. Its own fields begin with @, which no counter name contains; every other field is the name of a
-- counter and holds "amount onExpire charge".
local OWN_FIELDS = 6
local STATES = { held = true, settled = true, released = true, expired = true }

-- A reservation. `state` is `none` if it is absent or forgotten. Nil if its record is damaged.
local function readReservation(key, now)
  local stored = read('HGETALL', key)
  if not stored then return nil end
  if #stored == 0 then return { state = 'none' } end
  local fields = {}
  for i = 1, #stored, 2 do fields[stored[i]] = stored[i + 1] end
  local state, fingerprint, count = fields['@state'], fields['@fingerprint'], integer(fields['@counters'])
  local revision, leaseEnd, forgetAt = integer(fields['@revision']), integer(fields['@leaseEnd']), integer(fields['@forgetAt'])
  if not (STATES[state] and fingerprint and count and revision and leaseEnd and forgetAt) then return nil end
  if count ~= #stored / 2 - OWN_FIELDS then return nil end
  if state ~= 'held' and forgetAt <= now then return { state = 'none', isForgotten = true } end
  local reservation = { state = state, fingerprint = fingerprint, revision = revision, leaseEnd = leaseEnd, counters = {}, names = {} }
  for i = 1, #stored, 2 do
    local name = stored[i]
    if string.byte(name) ~= 64 then
      local amount, onExpire, charge = string.match(stored[i + 1], '^(%d+) (%d+) (%d+)$')
      if not amount then return nil end
      reservation.names[#reservation.names + 1] = name
      reservation.counters[name] = { amount = tonumber(amount), onExpire = tonumber(onExpire), charge = tonumber(charge) }
    end
  end
  return reservation
end

-- Whether a reservation was made in exactly these counters. Names are unique in both.
local function hasNames(reservation, names)
  if #reservation.names ~= #names then return false end
  for _, name in ipairs(names) do
    if not reservation.counters[name] then return false end
  end
  return true
end
