import { LUA_CELL_END, luaReadCell, luaWriteCell } from "./lua-cell"
import { luaLedger } from "./lua-ledger"
import { luaIsNoted } from "./lua-record"
import { LUA_EXACT, type ScriptSettings } from "./script"

/** Most cells that one step of expiry touches, so that leases over many cells do not make a long script. */
const MAX_CELLS = 256

/**
 * Ends leases that ran out. A record that cannot be read, or whose cell cannot, is set aside in `…q` with its charge
 * unapplied: it must neither be dropped nor stop the leases behind it.
 *
 * Defines `expire(base, ids)`, which returns the replies of the leases it ended and how many of `ids` it dealt with.
 */
export function luaExpire(settings: ScriptSettings): string {
  return `${LUA_EXACT}${luaLedger(settings)}
local function expire(base, ids)
  local cells, touched, expired, steps, done = {}, {}, {}, 0, 0
  local chunkKnown
  local function load(key)
    local cell = cells[key]
    if cell == nil then
      cells[key] = false
      local v = pcall('GET', base .. 'c:' .. key)
      ${luaReadCell("return false")}
      cell = { s, r, g, p, l, r }
      cells[key] = cell
    end
    return cell
  end
  local function setAside(id)
    call('ZADD', base .. 'q', now, id)
    call('ZREM', base .. 'l', id)
  end
  for _, id in ipairs(ids) do
    if steps >= ${MAX_CELLS} then break end
    done = done + 1
    local key = base .. 'r:' .. id
    local record = pcall('GET', key)
    local first = type(record) == 'string' and string.sub(record, 1, 1)
    if record == false or first == 'c' or first == 'x' or first == 'f' or ${luaIsNoted("record")} then
      -- Its record left with the last of its cells, or is resolved, or says only where an entry stands: there is nothing to charge.
      call('ZREM', base .. 'l', id)
    elseif first ~= 'h' then
      setAside(id)
    else
      local fingerprint, amounts, ends, attempt = string.match(record, '^([^\\n]*)\\n([^\\n]*)\\n([^\\n]*)\\n(.*)$', 22)
      local list, whole = {}, fingerprint ~= nil
      if whole then
        local nextEnd = string.gmatch(ends, '(%d+) (%S+)')
        for cellKey, amount in string.gmatch(amounts, '(%S+) (%d+)') do
          local charge, life = nextEnd()
          local cell = load(cellKey)
          life = tonumber(life)
          if not life or not cell then
            whole = false
            break
          end
          list[#list + 1] = { cellKey, tonumber(amount), tonumber(charge), life, charge }
        end
      end
      if not whole then
        setAside(id)
      else
        local reply, charged, names = { id }, {}, {}
        for i, item in ipairs(list) do
          local cell = cells[item[1]]
          local before = cell[4]
          local spent = cell[1] + item[3]
          if spent > MAX then spent = MAX end
          cell[1] = spent
          cell[2] = cell[2] - item[2]
          if cell[2] < 0 then cell[2] = 0 end
          if spent > before then cell[4] = spent end
          touched[item[1]] = item[4]
          charged[i], names[i] = item[5], ' ' .. item[1] .. ' ' .. item[5]
          local at = #reply
          reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = item[1], cell[1], cell[2], cell[3]
          reply[at + 5], reply[at + 6], reply[at + 7] = before, cell[4], item[3]
        end
        steps = steps + #list + 1
        local place = string.sub(record, 10, 21)
        if attempt ~= '' then
          if not chunkKnown then
            knowChunk(call('GET', base .. 'u:n'))
            chunkKnown = true
          end
          local text = id .. ' 0' .. table.concat(names) .. '\\n' .. attempt
          if not rewriteEntry(base, place, id, text) then place = appendEntry(base, text) end
        end
        call('SET', key, 'x' .. string.sub(record, 2, 9) .. place .. '-1 ' .. table.concat(charged, ' ') .. '\\n' .. fingerprint .. '\\n' .. amounts,
          'PXAT', string.format('%.0f', now + ${settings.retentionMs}))
        call('ZREM', base .. 'l', id)
        expired[#expired + 1] = exact(reply, 2)
      end
    end
  end
  for key, life in pairs(touched) do
    local cell = cells[key]
    local r, l, was = cell[2], cell[5], cell[6]
    ${LUA_CELL_END}
    local v = struct.pack('<ddddd', cell[1], r, cell[3], cell[4], life)
    ${luaWriteCell("base .. 'c:' .. key", "v", "ends")}
  end
  return expired, done
end`
}
