import { LruMap } from "@p2/core"
import { STRUCTURED_MODES, type StructuredMode } from "../providers/provider"
import type { Route } from "../providers/route"
import type { AnswerMode } from "../receipt"

/** The mode that worked last, by `route.modeKey`. Shared by all clients of the process, which are often short-lived. */
const workingModes = new LruMap<string, AnswerMode>(1_000)

/** Servers that answered a stream only without `stream_options`, by `route.modeKey`. */
const serversWithoutStreamUsage = new LruMap<string, true>(1_000)

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

/** Whether to request the usage of a stream from a server. */
export function canRequestStreamUsage(route: Route): boolean {
  return route.provider.streamOptions !== false && !serversWithoutStreamUsage.has(route.modeKey)
}

/** Remembers what worked, so that the next request starts with it. */
export function rememberServer(
  route: Route,
  { mode, requestsStreamUsage }: { mode: AnswerMode; requestsStreamUsage: boolean },
): void {
  if (mode !== "text") workingModes.set(route.modeKey, mode)
  if (!requestsStreamUsage && route.provider.streamOptions !== false) serversWithoutStreamUsage.set(route.modeKey, true)
}
