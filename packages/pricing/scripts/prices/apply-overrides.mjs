// Applies the entries of overrides.mjs and more-overrides.mjs to the merged rows.
import { scaledUp } from "./decimal.mjs"
import { compare } from "./merge.mjs"
import {
  FINE_TUNED_PRICES,
  GUARANTEED_UNTIL,
  HOSTED_TOOLS,
  IMAGE_PRICES,
  IMAGES_AS_OUTPUT,
  OLD_PRICES,
  PIECE_PRICES,
} from "./more-overrides.mjs"
import {
  CLAUDE_WRITES,
  LIMITS,
  LONG_CONTEXT,
  MEDIA_RATES,
  NOT_SOLD,
  OPENROUTER_SEARCH,
  OWN_SEARCH,
  PRICES,
  PROMOTION,
  SEARCHES_FREELY,
  TIER_RATES,
  TIER_RATES_SOURCE,
  TIER_SHARES,
} from "./overrides.mjs"

const PER_PIECE = new Set(["request", "search", "fileSearch", "codeSession", "image", "second", "character"])

/** Changes `rows` in place. */
export function applyOverrides(rows) {
  for (const key of [...rows.keys()]) if (NOT_SOLD.names.test(key)) rows.delete(key)
  const complete = { ...PIECE_PRICES, ...IMAGE_PRICES, ...FINE_TUNED_PRICES, ...OLD_PRICES, ...PRICES }
  for (const [key, entry] of Object.entries(complete)) rows.set(key, overriddenRow(key, entry, rows.get(key)))
  for (const row of rows.values()) {
    addClaudeWrites(row)
    addOpenRouterSearch(row)
    addMediaRates(row)
    addHostedTools(row)
    addOwnSearch(row)
    addLongContext(row)
    addVendorTiers(row, rows)
    addTierShares(row)
    addTierRates(row)
    addPromotion(row)
    addPriceAfterGuarantee(row)
    setLimits(row)
    row.sheets = row.sheets.map(withoutIdleTiers)
  }
}

function overriddenRow(key, entry, before) {
  const slash = key.indexOf("/")
  const [first, ...others] = entry.sheets
  const base = sheetFrom(first)
  const sheets = [
    base,
    ...others.map((sheet) =>
      sheet.factor === undefined ? sheetFrom(sheet) : { ...timesOf(sheet), ...scaled(base, sheet.factor) },
    ),
  ]
  const row = {
    key,
    provider: key.slice(0, slash),
    name: key.slice(slash + 1),
    chat: !Object.hasOwn(PIECE_PRICES, key) && !Object.hasOwn(IMAGE_PRICES, key),
    sheets,
    ...(entry.free && { free: true }),
    from: [entry],
    context: entry.context,
    maxInput: entry.maxInput,
    maxOutput: entry.maxOutput,
  }
  // A package that states a higher price than all of the page's sheets raises the bound.
  for (const sheet of before?.sheets ?? []) {
    const differences = sheets.map((own) => compare(own, sheet))
    const isHigher = differences.every((found) => found.some((each) => each.olderRate > each.newerRate))
    if (isHigher) sheets.push({ serviceTier: "default", boundOnly: true, tiers: sheet.tiers })
  }
  return row
}

function sheetFrom(entry) {
  const tiers = [{ fromInputTokens: 0, rates: ratesFrom(entry) }]
  for (const tier of entry.tiers ?? []) tiers.push({ fromInputTokens: tier.from, rates: ratesFrom(tier) })
  return { ...timesOf(entry), tiers }
}

function timesOf(entry) {
  const { from, until, window } = entry
  return {
    serviceTier: entry.serviceTier ?? "default",
    ...(from && { from }),
    ...(until && { until }),
    ...(window && { window }),
    ...(entry.boundOnly && { boundOnly: true }),
  }
}

function ratesFrom(entry) {
  const rates = {}
  for (const [kind, text] of Object.entries(entry))
    if (typeof text === "string" && /^[\d.]+$/.test(text)) rates[kind] = scaledUp(text, PER_PIECE.has(kind) ? 12 : 6)
  return rates
}

/** Multiplies the rates of tokens by a fraction, rounded up to a pico-USD. Rates per piece stay unchanged. */
function scaled(sheet, [numerator, denominator], keep = []) {
  const tiers = sheet.tiers.map(({ fromInputTokens, rates }) => ({
    fromInputTokens,
    rates: Object.fromEntries(
      Object.entries(rates).map(([kind, rate]) => [
        kind,
        PER_PIECE.has(kind) || keep.includes(kind) ? rate : Math.ceil((rate * numerator) / denominator),
      ]),
    ),
  }))
  return { tiers }
}

/** The current standard sheet: the last one without hours that a cost uses. */
function standard(row) {
  return row.sheets
    .filter((sheet) => sheet.serviceTier === "default" && !sheet.boundOnly && !sheet.window && !sheet.until)
    .at(-1)
}

function hasTier(row, serviceTier) {
  return row.sheets.some((sheet) => sheet.serviceTier === serviceTier)
}

function isClaude(row) {
  return /(^|[./])(~?anthropic[./])?claude-/.test(row.name) || /(^|[./~])anthropic[./]claude/.test(row.name)
}

/** Adds the rates of Claude's cache writes where a source lists none. Claude 1, 2 and Instant have no cache. */
function addClaudeWrites(row) {
  if (!isClaude(row)) return
  row.cacheWriteOnRequest = true
  const hasCache = !/claude-(1|2|v1|v2|instant)/.test(row.name)
  const share = (rate, [numerator, denominator]) => Math.ceil((rate * numerator) / denominator)
  const before = JSON.stringify(row.sheets)
  changeRates(row, (rates) => {
    if (rates.cacheWrite === undefined && !hasCache) return rates
    const cacheWrite = rates.cacheWrite ?? share(rates.input, CLAUDE_WRITES.minutes)
    return { ...rates, cacheWrite, cacheWrite1h: rates.cacheWrite1h ?? share(rates.input, CLAUDE_WRITES.hour) }
  })
  if (JSON.stringify(row.sheets) !== before) row.from = [...row.from, CLAUDE_WRITES]
}

/** Adds the rate of a search. The row of a free model stays as it is, because the model is free without a search. */
function addOpenRouterSearch(row) {
  if (row.provider !== "openrouter" || row.free) return
  const plugin = scaledUp(OPENROUTER_SEARCH.usd, 12)
  row.sheets = row.sheets.map((sheet) => ({
    ...sheet,
    tiers: sheet.tiers.map((tier) => ({
      ...tier,
      rates: { ...tier.rates, search: Math.max(plugin, tier.rates.search ?? 0) },
    })),
  }))
  row.from = withSource(row.from, OPENROUTER_SEARCH)
}

/** Changes the rates of every tier in every sheet. */
function changeRates(row, change) {
  row.sheets = row.sheets.map((sheet) => ({
    ...sheet,
    tiers: sheet.tiers.map((tier) => ({ ...tier, rates: change(tier.rates) })),
  }))
}

/** Adds the rates of a long context to a row that lists none. */
function addLongContext(row) {
  if (!LONG_CONTEXT.names.test(row.key)) return
  const { from, factor } = LONG_CONTEXT
  const longRates = (rates) =>
    Object.fromEntries(Object.entries(rates).map(([kind, rate]) => [kind, PER_PIECE.has(kind) ? rate : rate * factor]))
  row.sheets = row.sheets.map((sheet) => {
    const [tier, ...others] = sheet.tiers
    if (others.length > 0) return sheet
    return { ...sheet, tiers: [tier, { fromInputTokens: from, rates: longRates(tier.rates) }] }
  })
  row.from = withSource(row.from, LONG_CONTEXT)
}

function addMediaRates(row) {
  if (IMAGES_AS_OUTPUT.test(row.key)) changeRates(row, (rates) => ({ imageOutput: rates.output, ...rates }))
  const entry = MEDIA_RATES.find((each) => each.names.test(row.key))
  if (entry === undefined) return
  const listed = ratesFrom(entry.rates ?? {})
  changeRates(row, (rates) => ({ ...(entry.audioAsInput && { audioInput: rates.input }), ...listed, ...rates }))
  row.from = withSource(row.from, entry)
}

/** Adds the prices of tools that the provider runs to rows that lack them. A package's own price takes precedence. */
function addHostedTools(row) {
  const entry = HOSTED_TOOLS.find(({ names, except }) => names.test(row.key) && !except?.test(row.key))
  if (entry === undefined) return
  const listed = ratesFrom(entry.rates)
  const standard = row.sheets[0].tiers[0].rates
  if (Object.keys(listed).every((kind) => standard[kind] !== undefined)) return
  changeRates(row, (rates) => ({ ...listed, ...rates }))
  row.from = withSource(row.from, entry)
}

/** A model that searches with every request bills its search as a request fee. A model that decides how often it searches has no bound. */
function addOwnSearch(row) {
  if (SEARCHES_FREELY.names.test(row.key)) {
    row.searchesFreely = true
    row.from = withSource(row.from, SEARCHES_FREELY)
  }
  const entry = OWN_SEARCH.find((each) => each.names.test(row.key))
  if (entry === undefined) return
  const fee = ({ request }) => scaledUp(request, 12)
  changeRates(row, (rates) => ({
    ...rates,
    request: fee(entry),
    search: row.provider === "openrouter" ? rates.search : 0,
  }))
  row.from = withSource(row.from, entry)
  if (entry.bound === undefined) return
  const tiers = row.sheets[0].tiers.map((tier) => ({ ...tier, rates: { ...tier.rates, request: fee(entry.bound) } }))
  row.sheets = [...row.sheets, { serviceTier: "default", boundOnly: true, tiers }]
  row.from = withSource(row.from, { ...entry.bound, day: entry.day })
}

/** Ends every sheet with the promotion and adds one at the full price. */
function addPromotion(row) {
  if (!PROMOTION.names.test(row.key)) return
  const { until } = PROMOTION
  const full = row.sheets.map((sheet) => ({ ...sheet, from: until, ...scaled(sheet, PROMOTION.factor) }))
  row.sheets =
    row.provider === "google"
      ? [...row.sheets.map((sheet) => ({ ...sheet, until })), ...full]
      : [...row.sheets, ...full.map((sheet) => ({ ...sheet, boundOnly: true }))]
  row.from = withSource(row.from, PROMOTION)
}

/** After the day until which a promotion is guaranteed, a bound uses the list price. */
function addPriceAfterGuarantee(row) {
  const { names, outputPerInput, from, input, output } = GUARANTEED_UNTIL
  const { rates } = row.sheets.filter((sheet) => !sheet.boundOnly).at(-1).tiers[0]
  if (!names.test(row.key) || rates.output !== outputPerInput * rates.input) return
  const current = row.sheets.filter((sheet) => !sheet.boundOnly && (sheet.until ?? from) >= from)
  const raise = (kind, rate) => {
    if (PER_PIECE.has(kind)) return rate
    const [numerator, denominator] = OUTPUT_KINDS.has(kind) ? output : input
    return Math.ceil((rate * numerator) / denominator)
  }
  const listed = current.map((sheet) => ({
    ...sheet,
    from,
    boundOnly: true,
    tiers: sheet.tiers.map((tier) => ({
      ...tier,
      rates: Object.fromEntries(Object.entries(tier.rates).map(([kind, rate]) => [kind, raise(kind, rate)])),
    })),
  }))
  row.sheets = [...row.sheets, ...listed]
  row.from = withSource(row.from, GUARANTEED_UNTIL)
}

const VERCEL_VENDORS = { openai: "openai", anthropic: "anthropic", google: "google", xai: "spacexai" }
const VERCEL_TIERS = { batch: "batch", fast: "priority" }

/**
 * Vercel's gateway lists batch and fast mode of some vendors as separate models, at the vendor's price. Copies them where its
 * standard price is the vendor's too.
 */
function addVendorTiers(row, rows) {
  const vendor = VERCEL_VENDORS[row.provider]
  if (vendor === undefined || row.from[0] !== "newer") return
  const name = row.name
    .replace(/^(claude-[a-z]+-\d+)-(\d+)$/, "$1.$2")
    .replace(/^(gemini-3)-flash-preview$/, "$1-flash")
  const plain = rows.get(`vercel-ai-gateway/${vendor}/${name}`)
  const own = standard(row)
  if (plain === undefined || own === undefined || compare(own, plain.sheets[0]).length > 0) return
  for (const [suffix, tier] of Object.entries(VERCEL_TIERS)) {
    const serviceTier = row.provider === "anthropic" && tier === "priority" ? "fast" : tier
    const priced = rows.get(`vercel-ai-gateway/${vendor}/${name}-${suffix}`)
    if (priced === undefined || hasTier(row, serviceTier)) continue
    addTier(row, serviceTier, priced.sheets[0].tiers, own)
  }
}

const OUTPUT_KINDS = new Set(["output", "reasoning", "audioOutput", "imageOutput"])

/**
 * Completes the rates of a service tier: a kind that it does not name keeps its proportion to the input or output, so
 * an hour in Claude's cache is twice the input of the tier. Rates per piece stay, and a cache read never becomes
 * cheaper than a source states.
 */
function inProportion(standardRates, rates) {
  const full = { ...standardRates, ...rates }
  for (const kind of Object.keys(standardRates)) {
    if (rates[kind] !== undefined || PER_PIECE.has(kind)) continue
    const base = OUTPUT_KINDS.has(kind) ? "output" : "input"
    const [named, before] = [full[base], standardRates[base]]
    if (before === 0 || (kind === "cacheRead" && named < before)) continue
    full[kind] = Math.ceil((standardRates[kind] * named) / before)
  }
  return full
}

/** Adds a service tier. Context tiers that it does not name are those of the standard sheet. */
function addTier(row, serviceTier, tiers, own) {
  const starts = new Set([...tiers, ...own.tiers].map((tier) => tier.fromInputTokens))
  const merged = [...starts]
    .sort((a, b) => a - b)
    .map((fromInputTokens) => {
      const standardRates = own.tiers.filter((tier) => tier.fromInputTokens <= fromInputTokens).at(-1)
      const rates = tiers.filter((tier) => tier.fromInputTokens <= fromInputTokens).at(-1)
      // A longer context that the tier does not list is served, and billed, as standard.
      const listed = rates.fromInputTokens >= standardRates.fromInputTokens
      return { fromInputTokens, rates: listed ? inProportion(standardRates.rates, rates.rates) : standardRates.rates }
    })
  row.sheets = [...row.sheets, { serviceTier, tiers: merged }]
}

function addTierShares(row) {
  for (const share of TIER_SHARES) {
    const own = standard(row)
    if (share.provider !== row.provider || !share.names.test(row.name) || own === undefined) continue
    for (const [serviceTier, factor] of Object.entries(share.tiers)) {
      if (hasTier(row, serviceTier)) continue
      const keep = share.keepCacheRead && factor[0] < factor[1] ? ["cacheRead"] : []
      row.sheets = [...row.sheets, { serviceTier, ...scaled(own, factor, keep) }]
      row.from = withSource(row.from, share)
    }
  }
}

function addTierRates(row) {
  for (const [serviceTier, models] of Object.entries(TIER_RATES)) {
    const rates = models[row.key]
    const own = standard(row)
    if (rates === undefined || own === undefined) continue
    const [input, output, cacheRead] = rates
    const tiers = [{ fromInputTokens: 0, rates: ratesFrom({ input, output, ...(cacheRead && { cacheRead }) }) }]
    row.sheets = row.sheets.filter((sheet) => sheet.serviceTier !== serviceTier)
    addTier(row, serviceTier, tiers, own)
    row.from = withSource(row.from, TIER_RATES_SOURCE)
  }
}

/** Drops context tiers that change no rate. */
function withoutIdleTiers(sheet) {
  const same = (a, b) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())
  const tiers = sheet.tiers.filter((tier, index) => index === 0 || !same(tier.rates, sheet.tiers[index - 1].rates))
  return { ...sheet, tiers }
}

function setLimits(row) {
  for (const limit of LIMITS) {
    if (!limit.names.test(row.key)) continue
    row.context = limit.context ?? row.context
    row.maxInput = limit.maxInput ?? row.maxInput
    row.maxOutput = limit.maxOutput ?? row.maxOutput
    row.from = withSource(row.from, limit)
  }
}

function withSource(from, { url, day }) {
  return from.some((each) => each.url === url) ? from : [...from, { url, day }]
}
