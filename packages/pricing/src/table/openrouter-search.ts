/**
 * Price in pico-USD of one search with OpenRouter's web plugin, for free models with `:online`; other rows list it.
 * USD 4 per thousand results, five results by default.
 * @see https://openrouter.ai/docs/features/web-search
 */
export const ONLINE_SEARCH_PICO_USD = 20_000_000_000
