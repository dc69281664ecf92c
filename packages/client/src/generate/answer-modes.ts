import { LruMap } from "@p2/core"
import { STRUCTURED_MODES, type StructuredMode } from "../providers/provider"
import type { Route } from "../providers/routes"
import type { AnswerMode } from "../receipt"

/** The mode that worked last, by `route.modeKey`. Shared by all clients of the process, which are often short-lived. */
const workingModes = new LruMap<string, AnswerMode>(1_000)

function modesOf(route: Route): readonly StructuredMode[] {
  return route.provider.modes ?? STRUCTURED_MODES
}

/** The mode to start with: the one that worked last for this model at this base URL, else the strictest. */
export function firstMode(route: Route, structured: boolean): AnswerMode {
  if (!structured) return "text"
  const modes = modesOf(route)
  const working = workingModes.get(route.modeKey)
  // A client with other `providers` may have used a mode that this one excludes.
  return working !== undefined && modes.includes(working as StructuredMode) ? working : modes[0]!
}

/** The next looser mode; undefined after the last. */
export function looserMode(route: Route, mode: AnswerMode): AnswerMode | undefined {
  const modes = modesOf(route)
  return modes[modes.indexOf(mode as StructuredMode) + 1]
}

/** Remembers that a mode worked, so that the next request starts with it. */
export function rememberMode(route: Route, mode: AnswerMode): void {
  if (mode !== "text") workingModes.set(route.modeKey, mode)
}
