import type { Rejection } from "../protocol"
import { unbounded } from "../rejection"
import type { CalledModel } from "./called-model"

/** As JSON writes it. A quote inside a string has a backslash before it, so no text of a message matches. */
const LONG_TIME = '"ttl":"12h"'

/**
 * Checks for cache writes that are kept for 12 hours, in `prompt_cache_options` or in a breakpoint of a part: their price must
 * be listed. @param reportsLongWrites the usage says how many tokens were written for 12 hours
 * @see https://developers.openai.com/api/docs/guides/prompt-caching
 */
export function checkCacheTime(
  body: Readonly<Record<string, unknown>>,
  { price }: CalledModel,
  reportsLongWrites = true,
): Rejection | undefined {
  const { cacheWrite, cacheWrite1h } = price.rates
  if (cacheWrite === undefined || (cacheWrite1h !== undefined && reportsLongWrites)) return undefined
  if (!JSON.stringify(body).includes(LONG_TIME)) return undefined
  return reportsLongWrites
    ? unbounded('`ttl: "12h"`', "no price is listed for such cache writes", 'Send "30m".')
    : unbounded(
        '`ttl: "12h"`',
        "the usage does not count such cache writes separately",
        'Send "30m", or use the Responses API.',
      )
}
