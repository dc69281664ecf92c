/**
 * A cell is 40 bytes: spent, reserved, granted, peak and life as little-endian doubles, which hold every integer to 2^53
 * exactly; nothing is formatted, so nothing is rounded.
 *
 * A life is when the key may leave: 0 (never), an instant, or, negative, how long it is kept while nothing is reserved in
 * it. It stands in the cell, so that a change that leaves the key's end as it is need not set it again: `SETRANGE` keeps
 * it, at less than half the cost of `SET … PXAT`.
 *
 * Each of these is text for the place where it is needed: a function would be made anew by every run.
 */
export const LUA_MAX = "local MAX = 9007199254740991"

/** A cell that nothing was written to, as a reply tells it. */
export const LUA_NO_CELL = `local NO_CELL = '${"\\0".repeat(40)}'`

/** Sets `s, r, g, p, l` from `v`, a cell as `pcall('GET')` answers it; absent is zeros, and `l` nil. Else does `bad`. */
export function luaReadCell(bad: string): string {
  return `
  local s, r, g, p, l = 0, 0, 0, 0
  if v then
    if #v ~= 40 then ${bad} end
    s, r, g, p, l = struct.unpack('<ddddd', v)
    if not (s % 1 == 0 and r % 1 == 0 and g % 1 == 0 and p % 1 == 0
      and s >= -MAX and s <= MAX and r >= 0 and r <= MAX and g >= -MAX and g <= MAX and p >= 0 and p <= MAX) then ${bad} end
  end`
}

/** Sets `ends` of a cell of `life` whose reserved was `was`, now `r`: true for the end that its key has, 0 for none. */
export const LUA_CELL_END = `
  local ends = life
  if l == life and (life >= 0 or (was > 0 and r > 0)) then
    ends = true
  elseif life < 0 then
    if r > 0 then ends = 0 else ends = now - life end
  end`

/** Writes `cell` with an end from {@link LUA_CELL_END}; what should have left by now is not made again. */
export function luaWriteCell(key: string, cell: string, ends: string): string {
  return `
  if ${ends} == true then
    call('SETRANGE', ${key}, 0, ${cell})
  elseif ${ends} == 0 then
    call('SET', ${key}, ${cell})
  elseif ${ends} > now then
    call('SET', ${key}, ${cell}, 'PXAT', ${ends})
  end`
}
