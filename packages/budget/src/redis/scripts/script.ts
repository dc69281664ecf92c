/** What a script's text depends on: whatever is the same in every call of a store is written into it. */
export interface ScriptSettings {
  /** How long resolved ids and adjustments are kept. */
  retentionMs: number
  /** How long usage entries are kept. */
  ledgerRetentionMs: number
  /** Most entries of one chunk of the ledger's index. */
  chunkEntries: number
}

/** A script as the server caches it. */
export interface Script {
  readonly name: string
  readonly lua: string
}

/** Names of the reply's first element. A negative code says that nothing was written. */
export const REPLY = {
  corrupt: -1,
  ok: 0,
  replayed: 1,
  exceeded: 2,
  staleWindow: 3,
  mismatch: 4,
  resolved: 5,
  forgotten: 6,
  otherCells: 7,
} as const

/**
 * The time in milliseconds: the server's, or the first argument where a simulation hands one in.
 *
 * Sets `now`.
 */
export const LUA_NOW = `
local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end`

/**
 * A cell is 32 bytes: spent, reserved, granted and peak as little-endian doubles, which hold every integer to 2^53
 * exactly; nothing is formatted, so nothing is rounded. `sane` says whether four numbers can be a cell.
 */
export const LUA_SANE = `
local MAX = 9007199254740991
local function sane(s, r, g, p)
  return s % 1 == 0 and r % 1 == 0 and g % 1 == 0 and p % 1 == 0
    and s >= -MAX and s <= MAX and r >= 0 and r <= MAX and g >= -MAX and g <= MAX and p >= 0 and p <= MAX
end`

/**
 * Makes the numbers of a reply exact from place `first` on: the server sends every integer as it is, but clients were
 * seen to read those just below 2^53 one off (ioredis 6.0.0), so that the largest travel as text.
 */
export const LUA_EXACT = `
local function exact(reply, first)
  for i = first, #reply do
    local n = reply[i]
    if type(n) == 'number' and (n > 9007199254740000 or n < -9007199254740000) then reply[i] = string.format('%.0f', n) end
  end
  return reply
end`
