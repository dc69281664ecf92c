/**
 * Pico-USD of one search that `:online` adds: USD 4 per thousand results, five results unless asked otherwise. Where the
 * vendor's own search is dearer and listed, that is taken.
 * @see https://openrouter.ai/docs/features/web-search
 */
export const ONLINE_SEARCH_PICO_USD = 20_000_000_000
