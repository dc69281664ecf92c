import type { StructuredMode } from "../provider"
import type { AnswerMode } from "../receipt"
import { knownMode } from "./mode-memory"
import type { Route } from "./route"

/** The modes, from the strictest to the loosest. */
export const LADDER: readonly StructuredMode[] = ["json_schema", "tool", "json_object", "prompt"]

function ladderOf(route: Route): readonly StructuredMode[] {
  return route.provider.modes ?? LADDER
}

/** Where to begin: where this model at this base URL took it last, else at the top. */
export function firstMode(route: Route, structured: boolean): AnswerMode {
  if (!structured) return "text"
  const ladder = ladderOf(route)
  const known = knownMode(route.modeKey)
  // Another client may have been told of other rungs.
  return known !== undefined && ladder.includes(known as StructuredMode) ? known : ladder[0]!
}

/** The next rung down; undefined below the last. */
export function nextMode(route: Route, mode: AnswerMode): AnswerMode | undefined {
  const ladder = ladderOf(route)
  return ladder[ladder.indexOf(mode as StructuredMode) + 1]
}
