/**
 * How many code interpreter sessions a container of each `memory_limit` counts as: OpenAI bills 1, 4, 16 and 64 GB at 1, 4, 16 and
 * 64 times the price of 1 GB.
 *
 * @see https://developers.openai.com/api/docs/pricing#tools (read on 2026-11-30)
 */
export const CONTAINER_SESSIONS = { "1g": 1, "4g": 4, "16g": 16, "64g": 64 } as const

/**
 * How many web searches a call of OpenAI's `web_search_preview` counts as in a model without reasoning, rounded up: it costs $25
 * instead of $10 per thousand calls.
 *
 * @see https://developers.openai.com/api/docs/pricing#tools (read on 2026-11-30)
 */
export const PREVIEW_SEARCHES = 3

/**
 * Input tokens that OpenAI bills for the results of each call of `web_search` in `gpt-4o-mini` and `gpt-4.1-mini`. In other models
 * the results count as the tokens that they have.
 *
 * @see https://developers.openai.com/api/docs/pricing#tools (read on 2026-11-30)
 */
export const FIXED_SEARCH_TOKENS = 8_000
