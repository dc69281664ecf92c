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
  /** Whether it answers in bytes (`packed-reply.ts`), which costs server and client less than a list of numbers. */
  readonly packed?: true
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
 * The time in milliseconds: the server's, or `given` where a simulation hands one in.
 *
 * Sets `now`, and `nowText` for the commands: a number would be printed again for each.
 */
export function luaNow(given = "ARGV[1]"): string {
  return `
local call, pcall = redis.call, redis.pcall
local nowText = ${given}
if nowText == '' then
  local time = call('TIME')
  local micros = time[2]
  if #micros == 6 then
    nowText = time[1] .. string.sub(micros, 1, 3)
  else
    nowText = string.format('%s%03d', time[1], micros / 1000)
  end
end
local now = nowText + 0`
}

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
