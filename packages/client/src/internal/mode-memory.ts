import type { AnswerMode } from "../receipt"
import { keepNewest } from "./keep-newest"

/** Most pairs of base URL and model that are remembered. */
const CAPACITY = 1_000

/** The memory of this process: clients are short-lived, what a server can do is not. */
const modes = new Map<string, AnswerMode>()

/** Which mode a model at a base URL took last; undefined: none yet. The key is a route's `modeKey`. */
export function knownMode(key: string): AnswerMode | undefined {
  return modes.get(key)
}

/** Notes which mode worked, so that the next request starts there. */
export function noteMode(key: string, mode: AnswerMode): void {
  if (modes.get(key) !== mode) keepNewest(modes, key, mode, CAPACITY)
}
