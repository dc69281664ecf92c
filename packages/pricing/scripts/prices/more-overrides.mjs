// Prices that the packages lack: what is billed per unit, fine-tuned and old models, and prices that may come at any
// time. Kept by hand, as overrides.mjs: each entry has the URL where it was read and the day. USD per million tokens or
// per piece, as strings.

const OPENAI_MODELS = "https://developers.openai.com/api/docs/models"
/** A price map that many tools read; MIT license. */
const LITELLM = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"
/** The day on which the stored copies of undated pages were read. */
const READ = "2026-11-30"

/** A model whose tokens have no price. */
function byPiece(rates, entry) {
  return { sheets: [{ input: "0", output: "0", ...rates }], ...entry }
}

/** OpenAI's price list of 2023-12-25. DALL·E is shut down; the prices are for old bills. */
const DALL_E = { url: "https://github.com/kevinhermawan/Canvas/blob/main/model-info.json", day: "2023-12-25" }

/** Complete prices of models that are billed per unit, or free. */
export const PIECE_PRICES = {
  "openai/tts-1": byPiece({ character: "0.000015" }, { url: `${OPENAI_MODELS}/tts-1`, day: READ }),
  "openai/tts-1-hd": byPiece({ character: "0.00003" }, { url: `${OPENAI_MODELS}/tts-1`, day: READ }),
  // Names without quality and size have the highest price; names with them follow LiteLLM.
  "openai/dall-e-3": byPiece({ image: "0.12" }, DALL_E),
  "openai/standard/1024-x-1024/dall-e-3": byPiece({ image: "0.04" }, DALL_E),
  "openai/standard/1024-x-1792/dall-e-3": byPiece({ image: "0.08" }, DALL_E),
  "openai/standard/1792-x-1024/dall-e-3": byPiece({ image: "0.08" }, DALL_E),
  "openai/hd/1024-x-1024/dall-e-3": byPiece({ image: "0.08" }, DALL_E),
  "openai/hd/1024-x-1792/dall-e-3": byPiece({ image: "0.12" }, DALL_E),
  "openai/hd/1792-x-1024/dall-e-3": byPiece({ image: "0.12" }, DALL_E),
  "openai/dall-e-2": byPiece({ image: "0.02" }, DALL_E),
  "openai/256-x-256/dall-e-2": byPiece({ image: "0.016" }, DALL_E),
  "openai/512-x-512/dall-e-2": byPiece({ image: "0.018" }, DALL_E),
  "openai/1024-x-1024/dall-e-2": byPiece({ image: "0.02" }, DALL_E),
  "openai/omni-moderation-latest": byPiece(
    {},
    { free: true, url: `${OPENAI_MODELS}/omni-moderation-latest`, day: READ },
  ),
  "openai/omni-moderation-2024-09-26": byPiece(
    {},
    { free: true, url: `${OPENAI_MODELS}/omni-moderation-latest`, day: READ },
  ),
}

/** Image models that are newer than both packages. The page says that their rates are those of `gpt-image-2`. */
const GPT_IMAGE_2_5 = {
  sheets: [{ input: "5", output: "30", cacheRead: "1.25", imageInput: "8", imageOutput: "30" }],
  url: "https://docs.apiyi.com/en/news/gpt-image-2-5-launch.md",
  day: READ,
}

export const IMAGE_PRICES = {
  "openai/gpt-image-2.5-flare": GPT_IMAGE_2_5,
  "openai/gpt-image-2.5-flare-2026-09-08": GPT_IMAGE_2_5,
  "openai/gpt-image-2.5-sunburst": GPT_IMAGE_2_5,
  "openai/gpt-image-2.5-sunburst-2026-09-08": GPT_IMAGE_2_5,
}

function fineTuned(rates, limits, hasBatch = true) {
  const sheets = hasBatch ? [rates, { serviceTier: "batch", factor: [1, 2] }] : [rates]
  return { sheets, ...limits, url: LITELLM, day: READ }
}

const GPT_4O = { context: 128_000, maxOutput: 16_384 }
const GPT_4_1 = { context: 1_047_576, maxOutput: 32_768 }
const GPT_3_5 = { context: 16_385, maxOutput: 4_096 }

/**
 * Fine-tuned models, by the part of their id before the second colon. They have separate prices; fine-tunes of a base model that
 * is not listed here have none.
 */
export const FINE_TUNED_PRICES = {
  "openai/ft:gpt-4o-2024-08-06": fineTuned({ input: "3.75", output: "15", cacheRead: "1.875" }, GPT_4O),
  "openai/ft:gpt-4o-2024-11-20": fineTuned({ input: "3.75", output: "15", cacheRead: "1.875" }, GPT_4O),
  "openai/ft:gpt-4o-mini-2024-07-18": fineTuned({ input: "0.3", output: "1.2", cacheRead: "0.15" }, GPT_4O),
  "openai/ft:gpt-4.1-2025-04-14": fineTuned({ input: "3", output: "12", cacheRead: "0.75" }, GPT_4_1),
  "openai/ft:gpt-4.1-mini-2025-04-14": fineTuned({ input: "0.8", output: "3.2", cacheRead: "0.2" }, GPT_4_1),
  "openai/ft:gpt-4.1-nano-2025-04-14": fineTuned({ input: "0.2", output: "0.8", cacheRead: "0.05" }, GPT_4_1),
  "openai/ft:o4-mini-2025-04-16": fineTuned(
    { input: "4", output: "16", cacheRead: "1" },
    { context: 200_000, maxOutput: 100_000 },
  ),
  "openai/ft:gpt-3.5-turbo": fineTuned({ input: "3", output: "6" }, GPT_3_5),
  "openai/ft:gpt-3.5-turbo-0125": fineTuned({ input: "3", output: "6" }, GPT_3_5),
  "openai/ft:gpt-3.5-turbo-1106": fineTuned({ input: "3", output: "6" }, GPT_3_5),
  "openai/ft:gpt-3.5-turbo-0613": fineTuned({ input: "3", output: "6" }, { context: 4_096, maxOutput: 4_096 }),
  "openai/ft:davinci-002": fineTuned({ input: "12", output: "12" }, { context: 16_384, maxOutput: 4_096 }, false),
  "openai/ft:babbage-002": fineTuned({ input: "1.6", output: "1.6" }, { context: 16_384, maxOutput: 4_096 }, false),
}

/** The first pages are OpenAI's and Google's price lists, as copied into public repositories. */
const OPENAI_TOOLS = "https://developers.openai.com/api/docs/pricing#tools"
const GEMINI_PRICING = "https://ai.google.dev/gemini-api/docs/pricing"
const CLAUDE_PRICING = "https://platform.claude.com/docs/en/about-claude/pricing"

/**
 * Tools that a provider runs and bills per unit, for rows that lack the rate.
 *
 * - OpenAI: a container of 1 GB costs $0.03 in 20 minutes; 4, 16 and 64 GB cost 4, 16 and 64 times as much.
 * - Anthropic: a container costs $0.05 an hour, and a request has at most one.
 * - Gemini 2 bills a request that searched, Gemini 3 and later each search.
 */
export const HOSTED_TOOLS = [
  {
    names: /^openai\/(ft:)?(gpt-(4o|4\.1|4\.5|4-turbo|[5-9])|o[1-9]|chatgpt-|chat-latest|codex-|computer-use)/,
    except: /audio|realtime|transcribe|tts|image|search-preview/,
    rates: { search: "0.01", fileSearch: "0.0025", codeSession: "0.03" },
    url: OPENAI_TOOLS,
    day: READ,
  },
  {
    names: /^anthropic\/claude-(3-[57]|[a-z]+-\d)/,
    rates: { search: "0.01", codeSession: "0.05" },
    url: CLAUDE_PRICING,
    day: READ,
  },
  { names: /^google\/gemini-2\./, except: /tts/, rates: { search: "0.035" }, url: GEMINI_PRICING, day: READ },
  {
    names: /^google\/gemini-([3-9]|(pro|flash|flash-lite)-latest)/,
    except: /tts/,
    rates: { search: "0.014" },
    url: GEMINI_PRICING,
    day: READ,
  },
]

/** Image models that list one output price, which is that of the images. */
export const IMAGES_AS_OUTPUT = /^(azure|openai)\/gpt-image-(1|1-mini|2)(-20\d\d-\d\d-\d\d)?$/

/**
 * A promotion that its seller guarantees only until a certain day: from then on the list price may apply at any time,
 * so a bound uses it. The promotion has 4 / 20 USD, the list 5 / 30; a row whose output is not five times its input
 * does not have the promotion.
 */
export const GUARANTEED_UNTIL = {
  names: /(^|[/.])gpt-5\.6-sol([:-](batch|fast))?$/,
  outputPerInput: 5,
  from: "2026-11-22",
  input: [5, 4],
  output: [3, 2],
  url: "https://docs.laozhang.ai/announcements/gpt-5-6-sol-price-cut-2026-09.md",
  day: "2026-09-24",
}

/**
 * Ids that the older package matches by a pattern only, or that their seller no longer lists. Old bills and running services have them.
 * Each is priced by the model that the package matches with it.
 */
export const STILL_USED_IDS = {
  anthropic: [
    "claude-3-7-sonnet-20250219",
    "claude-3-5-haiku-20241022",
    "claude-3-opus-20240229",
    "claude-2.1",
    "claude-2.0",
  ],
  google: [
    "gemini-2.0-flash-001",
    "gemini-2.0-flash-lite-001",
    "gemini-1.5-pro-001",
    "gemini-1.5-pro-002",
    "gemini-1.5-flash-001",
    "gemini-1.5-flash-002",
  ],
  openrouter: [
    "anthropic/claude-opus-4",
    "anthropic/claude-sonnet-4",
    "anthropic/claude-3.7-sonnet",
    "anthropic/claude-3.5-sonnet",
    "anthropic/claude-3.5-haiku",
  ],
  together: [
    "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
    "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
  ],
  xai: ["grok-2-vision-1212"],
}

/** Old models that neither package prices. */
export const OLD_PRICES = {
  // Deployments of version 0613 and earlier cost more, and the name does not show the version.
  "azure/gpt-35-turbo": {
    sheets: [
      { input: "0.5", output: "1.5" },
      { input: "1.5", output: "2", boundOnly: true },
    ],
    context: 16_385,
    maxOutput: 4_096,
    url: LITELLM,
    day: READ,
  },
  "azure/gpt-35-turbo-16k": {
    sheets: [{ input: "3", output: "4" }],
    context: 16_385,
    maxOutput: 4_096,
    url: LITELLM,
    day: READ,
  },
  "fireworks/accounts/fireworks/models/llama-v3p3-70b-instruct": {
    sheets: [{ input: "0.9", output: "0.9" }],
    context: 131_072,
    maxOutput: 16_384,
    url: "https://models.dev/api.json",
    day: READ,
  },
}
