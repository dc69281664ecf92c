/**
 * Pico-USD of one search of OpenRouter's web plugin, for free models with `:online`; the rows of others list it.
 * USD 4 per thousand results, five results unless asked otherwise.
 * @see https://openrouter.ai/docs/features/web-search
 */
export const ONLINE_SEARCH_PICO_USD = 20_000_000_000
