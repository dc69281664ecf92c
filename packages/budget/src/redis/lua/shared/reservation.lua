--- @include "values"

-- A reservation is a hash. Its own fields begin with @, which no counter name contains; every other field is the name of a
-- counter and holds "amount onExpire charge".

-- Reads a reservation; `state` is `none` if it is absent or forgotten, and the result is nil if its record is damaged. `names`: the
-- counters in which it was made. `amounts`, `onExpire` and `charges` are strings by counter name.
local function readReservation(key, now)
  local fields = read('HGETALL', key)
  if not fields then return nil end
  if #fields == 0 then return { state = 'none' } end
  local own, names, amounts, onExpire, charges = {}, {}, {}, {}, {}
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if string.byte(name) == 64 then
      own[name] = value
    else
      names[#names + 1] = name
      amounts[name], onExpire[name], charges[name] = string.match(value, '^(%d+) (%d+) (%d+)$')
      if not amounts[name] then return nil end
    end
  end
  local state, fingerprint, revision = own['@state'], own['@fingerprint'], integer(own['@revision'])
  local leaseEnd, forgetAt = integer(own['@leaseEnd']), integer(own['@forgetAt'])
  local isResolved = state == 'settled' or state == 'released' or state == 'expired'
  if not (isResolved or state == 'held') then return nil end
  if not (fingerprint and revision and leaseEnd and forgetAt and #names == integer(own['@counters'])) then return nil end
  if isResolved and forgetAt <= now then return { state = 'none', isForgotten = true } end
  return {
    state = state, fingerprint = fingerprint, revision = revision, leaseEnd = leaseEnd,
    names = names, amounts = amounts, onExpire = onExpire, charges = charges,
  }
end

-- Whether a reservation was made in exactly these counters.
local function hasNames(reservation, names)
  for i = 1, #names do
    if not reservation.amounts[names[i]] then return false end
  end
  return #names == #reservation.names
end
