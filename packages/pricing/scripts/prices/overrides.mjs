// Prices maintained by hand, which both packages lack or state wrongly. Every entry has its URL and a day. `day` is the day that
// the page states or on which it was captured; if neither is known, the day on which its stored copy was read.
// Rates are USD per million tokens (USD per piece for request and search), as decimal strings.

/** OpenAI's own model page of a model that is newer than both packages. Ultrafast has two dated prices. */
const GPT_6_2_SOL = "https://developers.openai.com/api/docs/models/gpt-6.2-sol"
/** DeepSeek's price page; the stored copy has the query check=20261115. */
const DEEPSEEK = "https://api-docs.deepseek.com/quick_start/pricing"
const OPENAI_PRIORITY = "https://openai.com/api-priority-processing/"
const OPENAI_PRICING = "https://developers.openai.com/api/docs/pricing"
const CLAUDE_PRICING = "https://platform.claude.com/docs/en/about-claude/pricing"
const CLAUDE_BATCH = "https://platform.claude.com/docs/en/build-with-claude/batch-processing"
const GEMINI_TIERS = "https://ai.google.dev/gemini-api/docs/optimization"
const GEMINI_PRICING = "https://ai.google.dev/gemini-api/docs/pricing"
const PERPLEXITY_PRICING = "https://docs.perplexity.ai/getting-started/pricing"
const XAI_PRICING = "https://docs.x.ai/developers/pricing"

/** The day on which the stored copies of undated pages were read. */
const READ = "2026-11-27"

/**
 * DeepSeek raised its prices and introduced peak hours at this moment.
 * https://docs.apiyi.com/en/news/deepseek-price-increase-2026-08.md
 */
const DEEPSEEK_PEAK_FROM = "2026-08-16T16:00Z"
/** From this moment on, weekends have no peak hours: 2026-08-23 in Beijing. https://github.com/xyzs996/llm-api-pricing/discussions/44 */
const DEEPSEEK_WEEKDAYS_FROM = "2026-08-22T16:00Z"
const PEAK_HOURS = [
  { start: 60, end: 240 },
  { start: 360, end: 600 },
]

function deepseekPeaks(rates, fromWeekdays) {
  const everyDay = PEAK_HOURS.map((hours) => ({
    from: DEEPSEEK_PEAK_FROM,
    until: DEEPSEEK_WEEKDAYS_FROM,
    window: { days: "0123456", ...hours },
    ...rates,
  }))
  const weekdays = PEAK_HOURS.map((hours) => ({
    ...(fromWeekdays === undefined ? {} : { from: fromWeekdays }),
    window: { days: "12345", ...hours },
    ...rates,
  }))
  return fromWeekdays === undefined ? weekdays : [...everyDay, ...weekdays]
}

const FLASH = {
  sheets: [
    { input: "0.15", output: "0.6", cacheRead: "0.003" },
    ...deepseekPeaks({ input: "0.3", output: "1.2", cacheRead: "0.006" }),
  ],
  context: 1_000_000,
  maxOutput: 384_000,
  url: DEEPSEEK,
  day: "2026-11-15",
}

/**
 * The price of two names from the end of the night discount, 2025-09-05 16:00 UTC, to their retirement. Cheaper ones followed ($0.28 /
 * $0.42 from 2025-09-29, then those of deepseek-flash). No source states which of them bills a name that still answers, so the most
 * expensive one stays. It is also above deepseek-flash at its peak hours.
 */
const OLD_DEEPSEEK = {
  sheets: [{ input: "0.56", output: "1.68", cacheRead: "0.07" }],
  context: 128_000,
  url: DEEPSEEK,
  day: "2025-09-05",
}

/** Complete prices. The last valid sheet applies. */
export const PRICES = {
  "openai/gpt-6.2-sol": {
    sheets: [
      {
        input: "2",
        output: "10",
        cacheRead: "0.1",
        cacheWrite: "2.5",
        // OpenAI keeps the long write for 12 hours. A usage has one field for long writes.
        cacheWrite1h: "5",
        tiers: [{ from: 272_000, input: "4", output: "15", cacheRead: "0.2", cacheWrite: "5", cacheWrite1h: "10" }],
      },
      { serviceTier: "batch", factor: [1, 2] },
      { serviceTier: "priority", factor: [2, 1] },
      { serviceTier: "ultrafast", factor: [3, 1], until: "2027-03-01" },
      { serviceTier: "ultrafast", factor: [6, 1], from: "2027-03-01" },
    ],
    context: 1_050_000,
    maxInput: 922_000,
    maxOutput: 128_000,
    url: GPT_6_2_SOL,
    day: "2026-11-23",
  },
  "deepseek/deepseek-flash": FLASH,
  // Retired names that DeepSeek serves with, and bills as, deepseek-flash.
  "deepseek/deepseek-v4-flash": FLASH,
  "deepseek/deepseek-v4-flash-vision-exp": FLASH,
  // The night discount of these ended on 2025-09-05; the names are reported as retired since 2026-07-24.
  "deepseek/deepseek-chat": { ...OLD_DEEPSEEK, maxOutput: 8_192 },
  "deepseek/deepseek-reasoner": { ...OLD_DEEPSEEK, maxOutput: 65_536 },
  "deepseek/deepseek-v4-pro": {
    sheets: [
      { input: "0.435", output: "0.87", cacheRead: "0.003625", until: DEEPSEEK_PEAK_FROM },
      { input: "0.66", output: "1.98", cacheRead: "0.022", from: DEEPSEEK_PEAK_FROM },
      ...deepseekPeaks({ input: "1.32", output: "3.96", cacheRead: "0.044" }, DEEPSEEK_WEEKDAYS_FROM),
    ],
    context: 1_000_000,
    maxOutput: 384_000,
    url: DEEPSEEK,
    day: "2026-11-15",
  },
}

/**
 * Rates of a service tier that are not a simple share of the standard ones. Requests that OpenAI's priority tier calls
 * long context are not served by it and are billed at standard rates.
 */
export const TIER_RATES = {
  priority: {
    "openai/gpt-4.1": ["3.5", "14", "0.875"],
    "openai/gpt-4.1-mini": ["0.7", "2.8", "0.175"],
    "openai/gpt-4.1-nano": ["0.2", "0.8", "0.05"],
    "openai/gpt-4o": ["4.25", "17", "2.125"],
    "openai/gpt-4o-2024-08-06": ["4.25", "17", "2.125"],
    "openai/gpt-4o-2024-11-20": ["4.25", "17", "2.125"],
    "openai/gpt-4o-2024-05-13": ["8.75", "26.25"],
    "openai/gpt-4o-mini": ["0.25", "1", "0.125"],
    "openai/gpt-4o-mini-2024-07-18": ["0.25", "1", "0.125"],
    "openai/gpt-5": ["2.5", "20", "0.25"],
    "openai/gpt-5-codex": ["2.5", "20", "0.25"],
    "openai/gpt-5-mini": ["0.45", "3.6", "0.045"],
    "openai/gpt-5.1": ["2.5", "20", "0.25"],
    "openai/gpt-5.1-codex": ["2.5", "20", "0.25"],
    "openai/gpt-5.2": ["3.5", "28", "0.35"],
    "openai/gpt-5.4": ["5", "30", "0.5"],
    "openai/gpt-5.4-mini": ["1.5", "9", "0.15"],
    "openai/gpt-5.5": ["12.5", "75", "1.25"],
    "openai/o3": ["3.5", "14", "0.875"],
    "openai/o4-mini": ["2", "8", "0.5"],
  },
}
export const TIER_RATES_SOURCE = { url: OPENAI_PRIORITY, day: "2026-11-23" }

/** Service tiers that are a share of the standard rates, for the rows of a provider whose name matches. */
export const TIER_SHARES = [
  // "the same model costs half as much through the Batch API", and Flex is priced as Batch.
  {
    provider: "openai",
    names:
      /^(gpt-4(\.1|o)?(-mini|-nano|-turbo)?|gpt-[56][\w.-]*|o[134](-mini|-pro)?|text-embedding-(3-small|3-large|ada-002))(-20\d\d-\d\d-\d\d)?$/,
    tiers: { batch: [1, 2] },
    url: OPENAI_PRICING,
    day: "2026-11-05",
  },
  {
    provider: "openai",
    names: /^(gpt-[56](\.\d)?(-mini|-nano|-sol|-luna|-terra|-astra)?|o3|o4-mini)$/,
    tiers: { flex: [1, 2] },
    url: OPENAI_PRICING,
    day: "2026-11-05",
  },
  // "Fast mode costs twice the Standard rate for the same context length."
  {
    provider: "openai",
    names: /^gpt-(5\.6|6(\.\d)?)-(sol|luna|terra|astra)$/,
    tiers: { priority: [2, 1] },
    url: GPT_6_2_SOL,
    day: "2026-11-23",
  },
  // Half of the standard price on all usage, cache reads and writes included.
  { provider: "anthropic", names: /^claude-/, tiers: { batch: [1, 2] }, url: CLAUDE_BATCH, day: "2026-11-23" },
  // Batch and flex are half price; priority is "75% to 100% more", without a figure for each model, so the table has 100 %: a
  // priority call is never priced below its bill. The page does not halve cached tokens, so they keep their price.
  {
    provider: "google",
    names: /^gemini-(2\.5|3|3\.\d|4)-/,
    tiers: { batch: [1, 2], flex: [1, 2], priority: [2, 1] },
    keepCacheRead: true,
    url: GEMINI_TIERS,
    day: "2026-11-23",
  },
]

/** Claude cache writes of five minutes and of one hour, by the base input. They happen only when the request asks for them. */
export const CLAUDE_WRITES = { minutes: [5, 4], hour: [2, 1], url: CLAUDE_PRICING, day: "2026-11-23" }

/**
 * Any OpenRouter model can search with the web plugin: USD 4 per thousand results, five results by default. A
 * vendor's own search through it is billed at the vendor's rate, so the higher of the two is taken.
 */
export const OPENROUTER_SEARCH = {
  usd: "0.02",
  url: "https://openrouter.ai/docs/features/web-search",
  day: "2026-11-23",
}

const OPENAI_MODELS = "https://developers.openai.com/api/docs/models"

/** Limits that both packages lack, or on which they disagree because one of them stops at the price threshold. */
export const LIMITS = [
  {
    names: /^openai\/gpt-(5\.6|6(\.1)?)-(sol|luna|terra|astra)(-20\d\d-\d\d-\d\d)?$/,
    context: 1_050_000,
    maxInput: 922_000,
    maxOutput: 128_000,
    url: GPT_6_2_SOL.replace("6.2", "6.1"),
    day: "2026-09-29",
  },
  {
    names: /^openai\/gpt-5\.[45](-20\d\d-\d\d-\d\d)?$/,
    context: 1_050_000,
    maxOutput: 128_000,
    url: OPENAI_PRICING,
    day: "2026-11-05",
  },
  {
    names: /^cohere\/command(-light)?$/,
    context: 4_096,
    maxOutput: 4_096,
    url: "https://docs.cohere.com/docs/command-beta",
    day: "2026-11-23",
  },
  {
    names: /^cohere\/command-r(-plus|7b)?(-\d\d-2024)?$/,
    context: 128_000,
    url: "https://aws.amazon.com/bedrock/cohere-command-embed/",
    day: "2026-11-23",
  },
  {
    names: /^cohere\/command-a(-03-2025)?$/,
    context: 256_000,
    url: "https://developer.puter.com/ai/cohere/",
    day: "2026-11-23",
  },
  { names: /^openai\/gpt-4o-(mini-)?audio-preview$/, maxOutput: 16_384, url: `${OPENAI_MODELS}/gpt-4o-audio-preview` },
  { names: /^openai\/gpt-audio(-2025-08-28)?$/, maxOutput: 16_384, url: `${OPENAI_MODELS}/gpt-audio` },
  { names: /^openai\/gpt-audio-mini(-2025-1[02]-\d\d)?$/, maxOutput: 16_384, url: `${OPENAI_MODELS}/gpt-audio-mini` },
  {
    names: /^openai\/gpt-4o-(mini-)?realtime-preview$/,
    maxOutput: 4_096,
    url: `${OPENAI_MODELS}/gpt-4o-realtime-preview`,
  },
  { names: /^openai\/gpt-realtime-1\.5$/, maxOutput: 4_096, url: `${OPENAI_MODELS}/gpt-realtime-1.5` },
  { names: /^openai\/gpt-realtime-2$/, maxOutput: 32_000, url: `${OPENAI_MODELS}/gpt-realtime-2` },
  { names: /^openai\/gpt-realtime-2\.1-mini$/, maxOutput: 32_000, url: `${OPENAI_MODELS}/gpt-realtime-2.1-mini` },
  { names: /^openai\/codex-mini(-latest)?$/, maxOutput: 100_000, url: `${OPENAI_MODELS}/codex-mini-latest` },
  {
    names: /^openai\/gpt-4o-search-preview(-2025-03-11)?$/,
    maxOutput: 16_384,
    url: "https://www.modelmeta.dev/models/gpt-4o-search-preview",
  },
  {
    names: /^(openai|azure)\/o1-preview(-2024-09-12)?$/,
    maxOutput: 32_768,
    url: "https://www.openai-hk.com/docs/en/openai/o1.html",
  },
  {
    names: /^(openai|azure)\/o1-mini(-2024-09-12)?$/,
    maxOutput: 65_536,
    url: "https://www.openai-hk.com/docs/en/openai/o1.html",
  },
  {
    names: /^(openai|openrouter\/openai)\/gpt-3\.5-turbo(-0125)?$/,
    maxOutput: 4_096,
    url: "https://vercel.com/ai-gateway/models/gpt-3.5-turbo",
  },
  {
    names: /^openai\/gpt-(3\.5-turbo-1106|4-(1106-)?vision-preview)$/,
    maxOutput: 4_096,
    url: "https://github.com/ChatGPTNextWeb/ChatGPT-Next-Web/discussions/3208",
  },
  {
    names: /^anthropic\/claude-3-haiku$/,
    maxOutput: 4_096,
    url: "https://vercel.com/ai-gateway/models/claude-3-haiku",
  },
  {
    names: /^anthropic\/claude-3-5-haiku-(latest|20241022)$/,
    maxOutput: 8_192,
    url: "https://github.com/xsyetopz/claudetto/wiki/Claude-Code-Models-Catalog",
  },
  {
    names: /^anthropic\/claude-3-7-sonnet-(latest|20250219)$/,
    maxOutput: 64_000,
    url: "https://docs.rs/mixtape-core/latest/src/mixtape_core/models/claude.rs.html",
  },
  {
    names: /^cohere\/command-r-plus$/,
    maxOutput: 4_096,
    url: "https://docs.rs/mixtape-core/latest/src/mixtape_core/models/cohere.rs.html",
  },
  {
    names: /^google\/gemini-2\.0-flash-lite(-001)?$/,
    maxOutput: 8_192,
    url: "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json",
    day: "2026-11-30",
  },
  {
    names: /^google\/gemini-2\.0-flash(-001)?$/,
    maxOutput: 8_192,
    url: "https://ai.google.dev/gemini-api/docs/models/gemini",
  },
  {
    names: /^(openrouter\/)?perplexity\/sonar$/,
    maxOutput: 4_096,
    url: "https://opencode.ai/data/perplexity/sonar.json",
  },
  {
    names: /^(openrouter\/)?perplexity\/sonar-pro$/,
    maxOutput: 8_000,
    url: "https://perplexity.mintlify.app/guides/models/sonar-pro",
  },
].map((limit) => ({ day: READ, ...limit }))

/**
 * Rates of audio and of generated images that both packages lack. Where Google's page has one price for text, images, video and audio,
 * audio is input; elsewhere a kind without a rate is an error, not text.
 */
export const MEDIA_RATES = [
  {
    names: /^openai\/gpt-4o-audio-preview$/,
    rates: { audioInput: "40", audioOutput: "80" },
    url: `${OPENAI_MODELS}/gpt-4o-audio-preview`,
    day: READ,
  },
  {
    names: /^openai\/gpt-4o-mini-audio-preview$/,
    rates: { audioInput: "10", audioOutput: "20" },
    url: `${OPENAI_MODELS}/gpt-4o-mini-audio-preview`,
    day: READ,
  },
  {
    names: /^google\/gemini-(2\.5-pro|3-pro|3\.1-pro|3\.5-flash(-lite)?|3\.[678]-flash)(-(preview|latest)[\w-]*)?$/,
    audioAsInput: true,
    url: GEMINI_PRICING,
    day: "2026-10-07",
  },
]

/**
 * Models that search with every request and bill the search in addition to the tokens, by the size of the search
 * context: the most expensive one applies. `bound` is a higher price that another source states. The request fee
 * already covers the search that a usage counts.
 */
export const OWN_SEARCH = [
  { names: /^(openrouter\/)?perplexity\/sonar(-reasoning)?$/, request: "0.012", url: PERPLEXITY_PRICING },
  { names: /^(openrouter\/)?perplexity\/sonar-(pro|reasoning-pro)$/, request: "0.014", url: PERPLEXITY_PRICING },
  {
    names: /^(openrouter\/)?perplexity\/sonar-pro-search$/,
    request: "0.022",
    url: "https://token-plan.pages.dev/en/perplexity-token-api/",
  },
  {
    // $25 per thousand calls, search results included.
    names: /^openai\/gpt-4o-search-preview(-2025-03-11)?$/,
    request: "0.025",
    bound: { request: "0.035", url: "https://openrouter.ai/openai/gpt-4o-search-preview/api" },
    url: "https://community.openai.com/t/search-web-using-openai-api/1363698",
  },
  {
    names: /^openai\/gpt-4o-mini-search-preview(-2025-03-11)?$/,
    request: "0.025",
    bound: { request: "0.0275", url: "https://benchable.ai/models/openai/gpt-4o-mini-search-preview-2025-03-11" },
    url: "https://community.openai.com/t/search-web-using-openai-api/1363698",
  },
].map((entry) => ({ day: READ, ...entry }))

/** Models that decide how often they search, with each search billed: no number of tokens bounds their cost. */
export const SEARCHES_FREELY = {
  names: /(^|\/)(sonar-deep-research|o[34](-mini)?-deep-research|deep-research-|llama-3\.1-sonar-)/,
  url: PERPLEXITY_PRICING,
  day: READ,
}

/**
 * Half price until the end of 2026. Google's own rows have both prices with their dates; a bound uses the full price of
 * resellers from then on.
 */
export const PROMOTION = {
  names: /(^|\/)gemini-3\.[678]-flash([:-]batch)?$/,
  until: "2027-01-01",
  factor: [2, 1],
  url: GEMINI_PRICING,
  day: "2026-10-07",
}

/** Rows of a package that their provider does not sell: OpenAI publishes the weights of gpt-oss and lists no price. */
export const NOT_SOLD = { names: /^openai\/gpt-oss-/, url: OPENAI_PRICING, day: "2026-11-05" }

/**
 * The input from which the higher rates apply, for every seller of the model. The packages write the same rule as
 * different numbers. xAI writes "≥ 200k tokens". Google writes "prompts > 200k". OpenAI's pages write "more than 272K",
 * the older package counts from 272,000: the more expensive reading of the token in between is taken. No other vendor
 * has a tier at 272,000.
 */
export const THRESHOLDS = [
  { names: /./, above: [271_999, 272_000], from: 272_000, url: GPT_6_2_SOL, day: "2026-11-23" },
  { names: /(^|[/.])grok-/, above: [199_999, 200_000], from: 200_000, url: XAI_PRICING, day: "2026-11-23" },
  {
    names: /(^|[/.])gemini-/,
    above: [200_000],
    from: 200_001,
    url: GEMINI_PRICING,
    day: "2026-09-23",
  },
]

/**
 * xAI's Grok 4, 4 Fast and 4.1 Fast cost twice as much for a request of more than 128k tokens. The packages list that for
 * OpenRouter's Grok 4 Fast only.
 */
export const LONG_CONTEXT = {
  names: /^xai\/grok-4(-0709|-latest|(-1)?-fast(-.+)?)?$/,
  from: 128_001,
  factor: 2,
  url: "https://openrouter.ai/x-ai/grok-4",
  day: "2026-11-30",
}

/** Providers whose models run on the user's own machine. They bill nothing, so every name is free. */
export const FREE_PROVIDERS = ["ollama", "lmstudio"]

/** Ids at price 0 whose seller calls them free. Others at price 0 are subscriptions, trials or gaps, and stay unpriced. */
export const FREE_NAME = /(:free|-free)$/
