// One row per key out of both packages. Per field the newer source wins; the older one fills what the newer does not say.

const SHARED = ["input", "output", "cacheRead", "cacheWrite"]

/** Providers that sell their own models: their bare names are aliases, and disagreements about them are reported. */
export const FIRST_PARTIES = [
  "openai",
  "anthropic",
  "google",
  "xai",
  "mistral",
  "deepseek",
  "cohere",
  "perplexity",
  "moonshotai",
  "minimax",
  "zai",
  "meta",
  "xiaomi",
  "voyageai",
  "arcee",
  "ant-ling",
]

/**
 * @param newer rows of the newer source, by key
 * @param older rows of the older source, by key
 * @param today instant at which dated sheets are compared
 * @returns merged rows and the lines of the report
 */
export function mergeRows(newer, older, today) {
  const rows = new Map()
  const report = []
  for (const [key, row] of newer)
    rows.set(key, older.has(key) ? mergeRow(row, older.get(key), today, report) : { ...row, from: ["newer"] })
  for (const [key, row] of older) if (!newer.has(key)) rows.set(key, { ...row, from: ["older"] })
  return { rows, report }
}

function mergeRow(fresh, stale, today, report) {
  const firstParty = FIRST_PARTIES.includes(fresh.provider)
  const now = stale.sheets.filter((sheet) => sheet.from === undefined || sheet.from <= today)
  const standing = now.filter((sheet) => sheet.window === undefined).at(-1)
  const differences = standing === undefined ? [] : compare(fresh.sheets[0], standing)
  const base = { ...fresh, context: fresh.context ?? stale.context, from: ["newer", "older"] }
  if (firstParty)
    for (const each of differences) report.push({ key: fresh.key, newer: "pi-ai", older: "genai-prices", ...each })
  const sheets = fresh.sheets.map((sheet) => withExtras(sheet, standing))
  if (firstParty && differences.some((each) => each.olderRate > each.newerRate))
    sheets.push({ ...standing, from: undefined, boundOnly: true, tiers: standing.tiers })
  return { ...base, sheets }
}

/** Kinds that only the older source names are taken from it, at each tier. */
function withExtras(sheet, other) {
  if (other === undefined) return sheet
  const tiers = sheet.tiers.map((tier) => {
    const old = ratesFor(other, tier.fromInputTokens)
    const extra = Object.fromEntries(Object.entries(old).filter(([kind]) => tier.rates[kind] === undefined))
    // A cache rate that belongs to another input rate would be a third price.
    if (old.input !== tier.rates.input)
      for (const kind of ["cacheRead", "cacheWrite", "cacheWrite1h"]) delete extra[kind]
    return { ...tier, rates: { ...tier.rates, ...extra } }
  })
  return { ...sheet, tiers }
}

/** The rates that hold for an input of so many tokens. */
export function ratesFor(sheet, inputTokens) {
  return sheet.tiers.filter((tier) => tier.fromInputTokens <= inputTokens).at(-1).rates
}

/** Where two sheets state different rates of the same kind at the same tier. */
function compare(fresh, stale) {
  const starts = [...new Set([...fresh.tiers, ...stale.tiers].map((tier) => tier.fromInputTokens))].sort(
    (a, b) => a - b,
  )
  const found = []
  for (const fromInputTokens of starts) {
    const [left, right] = [ratesFor(fresh, fromInputTokens), ratesFor(stale, fromInputTokens)]
    for (const kind of SHARED) {
      const [newerRate, olderRate] = [left[kind], right[kind]]
      if (newerRate !== undefined && olderRate !== undefined && newerRate !== olderRate)
        found.push({ kind, fromInputTokens, newerRate, olderRate })
    }
  }
  return found
}
