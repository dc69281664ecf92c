/** Where a process is killed in the life of an attempt. */
export const KILL_POINTS = [
  "before reserve",
  "reserve sent",
  "reserved",
  "provider called",
  "lease extended",
  "settle sent",
  "settled",
  "settled again",
] as const

export type KillPoint = (typeof KILL_POINTS)[number]
