--- @include "values"

-- A reservation is a hash. Its own fields begin with @, which no counter name contains; every other field is the name of a
-- counter and holds "amount onExpire charge".

-- Reads a reservation; `state` is `none` if it is absent or forgotten (`isForgotten`: the record is still there), and the result is
-- nil if its record is damaged. `names`: the counters in which it was made. `amounts`, `onExpire` and `charges` are strings by counter name.
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
  local state, fingerprint, leaseEnd = own['@state'], own['@fingerprint'], integer(own['@leaseEnd'])
  if not (fingerprint and leaseEnd and #names == integer(own['@counters'])) then return nil end
  local revision
  if state == 'settled' or state == 'released' or state == 'expired' then
    local forgetAt = integer(own['@forgetAt'])
    revision = integer(own['@revision'])
    if not (revision and forgetAt) then return nil end
    if forgetAt <= now then return { state = 'none', isForgotten = true } end
  elseif state ~= 'held' then
    return nil
  end
  return {
    state = state, fingerprint = fingerprint, revision = revision, leaseEnd = leaseEnd,
    names = names, amounts = amounts, onExpire = onExpire, charges = charges,
  }
end
