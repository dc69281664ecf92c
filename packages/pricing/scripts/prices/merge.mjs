// Merges both packages into one row per key. The newer source wins field by field; the older one completes it.

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
 * @param older rows of the older source, by key, each with the names that it takes for one model
 * @param today day at which dated sheets are compared
 * @returns merged rows by key
 */
export function mergeRows(newer, older, today) {
  const rows = new Map()
  for (const [key, row] of newer) {
    const other = older.get(key)
    rows.set(key, other === undefined ? { ...row, from: ["newer"] } : mergeRow(row, other, today))
  }
  for (const [key, row] of older)
    if (!rows.has(key)) rows.set(key, inherited(row, newer, rows, today) ?? { ...row, from: ["older"] })
  return rows
}

/** If only the older source lists a name, and the newer one lists the same model by another name, copies that row. */
function inherited(row, newer, rows, today) {
  const twin = [...row.names].map((name) => `${row.provider}/${name}`).find((key) => newer.has(key))
  if (twin === undefined) return undefined
  const standing = standingSheet(row, today)
  const same = standing !== undefined && compare(newer.get(twin).sheets[0], standing).length === 0
  return same
    ? { ...rows.get(twin), key: row.key, name: row.name }
    : { ...row, from: ["older"], maxOutput: newer.get(twin).maxOutput }
}

function mergeRow(fresh, stale, today) {
  const standing = standingSheet(stale, today)
  const differences = standing === undefined ? [] : compare(fresh.sheets[0], standing)
  const firstParty = FIRST_PARTIES.includes(fresh.provider)
  const current = fresh.sheets.map((sheet) => withExtras(sheet, standing))
  const past =
    differences.length === 0 && standing?.from !== undefined
      ? stale.sheets.filter((sheet) => sheet.until <= standing.from)
      : []
  if (past.length > 0) current[0] = { ...current[0], from: standing.from }
  const isHigher = firstParty && differences.some((each) => each.olderRate > each.newerRate)
  const ceiling = isHigher ? [{ serviceTier: "default", boundOnly: true, tiers: standing.tiers }] : []
  return {
    ...fresh,
    context: fresh.context ?? stale.context,
    from: ["newer", "older"],
    sheets: [...past, ...current, ...ceiling],
  }
}

/**
 * The differences between rows of first parties, those maintained by hand included, and the older source. A cache rate that one of the two does
 * not list counts as its input rate, a fee per request that is not listed counts as 0.
 */
export function disagreements(rows, older, today) {
  const report = []
  for (const [key, other] of older) {
    const row = rows.get(key)
    if (row === undefined || !FIRST_PARTIES.includes(row.provider)) continue
    const own = standingSheet(
      { sheets: row.sheets.filter((sheet) => sheet.serviceTier === "default" && !sheet.boundOnly) },
      today,
    )
    const standing = standingSheet(other, today)
    if (own === undefined || standing === undefined) continue
    for (const each of compare(filled(own), filled(standing), [...SHARED, "request"]))
      if (lists(own, each.kind) || lists(standing, each.kind)) report.push({ key, source: row.source, ...each })
  }
  return report
}

function lists(sheet, kind) {
  return sheet.tiers.some((tier) => tier.rates[kind] !== undefined)
}

function filled(sheet) {
  const fill = ({ input, cacheRead = input, cacheWrite = input, request = 0, ...rates }) => ({
    input,
    ...rates,
    cacheRead,
    cacheWrite,
    request,
  })
  return { tiers: sheet.tiers.map((tier) => ({ ...tier, rates: fill(tier.rates) })) }
}

/** The sheet that is valid on a day, ignoring sheets for hours of the day. */
function standingSheet(row, today) {
  return row.sheets.filter((sheet) => sheet.window === undefined && (sheet.from ?? "") <= today).at(-1)
}

/** Adds the kinds that only the older source names, at each tier. */
function withExtras(sheet, other) {
  if (other === undefined) return sheet
  const tiers = sheet.tiers.map((tier) => {
    const old = ratesFor(other, tier.fromInputTokens)
    const extra = Object.fromEntries(Object.entries(old).filter(([kind]) => tier.rates[kind] === undefined))
    // A cache rate that belongs to a different input rate would create a third price.
    if (old.input !== tier.rates.input)
      for (const kind of ["cacheRead", "cacheWrite", "cacheWrite1h"]) delete extra[kind]
    return { ...tier, rates: { ...tier.rates, ...extra } }
  })
  return { ...sheet, tiers }
}

/** The rates for an input of this many tokens. */
export function ratesFor(sheet, inputTokens) {
  return sheet.tiers.filter((tier) => tier.fromInputTokens <= inputTokens).at(-1).rates
}

/** The kinds for which two sheets state different rates at the same tier. */
export function compare(fresh, stale, kinds = SHARED) {
  const starts = [...new Set([...fresh.tiers, ...stale.tiers].map((tier) => tier.fromInputTokens))].sort(
    (a, b) => a - b,
  )
  const found = []
  for (const fromInputTokens of starts) {
    const [left, right] = [ratesFor(fresh, fromInputTokens), ratesFor(stale, fromInputTokens)]
    for (const kind of kinds) {
      const [newerRate, olderRate] = [left[kind], right[kind]]
      if (newerRate !== undefined && olderRate !== undefined && newerRate !== olderRate)
        found.push({ kind, fromInputTokens, newerRate, olderRate })
    }
  }
  return found
}
