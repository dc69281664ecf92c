import type { ContextTier, DailyWindow, PriceRow, PriceSheet, Unbounded } from "./price-row"
import { isPerPiece, type RateKind, type Rates } from "./rates"

/**
 * The text form of the generated tables. Lines, by their first character:
 *
 * - `d<day>` the day of the newest source;
 * - `s<day> <source>` a source, numbered from 0;
 * - `r<sheets>` rates, numbered from 0 (below);
 * - `p<provider>` starts a provider;
 * - `f<provider>` a provider whose models run on the user's own machine and are free;
 * - a tab starts a row of the provider: `\t<name>\t<rates>\t<source>\t<flags>`, numbers in base 36,
 *   with flag `F` for free, `C` for cache writes on request only, `S` for a model that decides how often it searches.
 *
 * `@p2/core/model-limits` has the ids of each row and the limits of its model.
 *
 * Sheets are separated by `|`. A sheet is `<head>><tiers>`, or only tiers if the head is empty. The head is
 * `<service tier>@<from>@<until>@<weekdays>@<start minute>@<end minute>@<b if bound only>`, without trailing empty fields.
 * Tiers are separated by `;` and have the form `<from input tokens>:<rates>`, the first without `0:`. Rates are USD per million
 * tokens or per piece: the input, a space, the output, then a letter and a number for each other kind.
 */
const RATE_LETTERS: Readonly<Record<Exclude<RateKind, "input" | "output">, string>> = {
  cacheRead: "r",
  cacheWrite: "w",
  cacheWrite1h: "h",
  audioInput: "a",
  imageInput: "i",
  reasoning: "t",
  audioOutput: "A",
  imageOutput: "I",
  request: "q",
  search: "s",
  fileSearch: "f",
  codeSession: "c",
  image: "m",
  second: "n",
  character: "k",
}

const KIND_OF: ReadonlyMap<string, Exclude<RateKind, "input" | "output">> = /* @__PURE__ */ new Map(
  (Object.keys(RATE_LETTERS) as Exclude<RateKind, "input" | "output">[]).map((kind) => [RATE_LETTERS[kind], kind]),
)

/** Converts USD per million tokens, with at most six decimals, to pico-USD per token. Rounding removes the float error. */
function pico(text: string): number {
  return Math.round(Number(text) * 1e6)
}

/** Converts USD per piece to pico-USD per piece. */
function picoPiece(text: string): number {
  return Math.round(Number(text) * 1e12)
}

function readRates(text: string): Rates {
  const space = text.indexOf(" ")
  const output = /^[\d.]*/.exec(text.slice(space + 1))![0]
  const rates: { input: number; output: number } & Partial<Record<RateKind, number>> = {
    input: pico(text.slice(0, space)),
    output: pico(output),
  }
  for (const [, letter, value] of text.slice(space + 1 + output.length).matchAll(/([a-zA-Z])([\d.]+)/g)) {
    const kind = KIND_OF.get(letter!)!
    rates[kind] = isPerPiece(kind) ? picoPiece(value!) : pico(value!)
  }
  return rates
}

function readTier(text: string): ContextTier {
  const colon = text.indexOf(":")
  return { fromInputTokens: colon < 0 ? 0 : Number(text.slice(0, colon)), rates: readRates(text.slice(colon + 1)) }
}

/** Reads the text form of sheets. */
function readSheets(text: string): PriceSheet[] {
  return text.split("|").map((part) => {
    const end = part.indexOf(">")
    const tiers = part
      .slice(end + 1)
      .split(";")
      .map(readTier)
    const [tier = "", from = "", until = "", days = "", start, finish, bound] = part
      .slice(0, Math.max(end, 0))
      .split("@")
    const window: DailyWindow | undefined =
      days === "" ? undefined : { days: [...days].map(Number), startMinute: Number(start), endMinute: Number(finish) }
    return {
      serviceTier: tier === "" ? "default" : tier,
      ...(from === "" ? {} : { fromMs: Date.parse(from) }),
      ...(until === "" ? {} : { untilMs: Date.parse(until) }),
      ...(window === undefined ? {} : { window }),
      ...(bound === "b" ? { boundOnly: true } : {}),
      tiers,
    }
  })
}

/** The contents of generated tables, with unparsed rows. */
export interface PriceTexts {
  /** Day of the newest source, as YYYY-MM-DD. */
  readonly date: string
  /** Reads the row of a key. */
  readonly rows: ReadonlyMap<string, () => PriceRow>
  readonly freeProviders: ReadonlySet<string>
}

/** Reads tables without parsing their rows. */
export function readTables(texts: readonly string[]): PriceTexts {
  const tables = texts.map(readTable)
  return {
    date:
      tables
        .map(({ date }) => date)
        .sort()
        .at(-1) ?? "",
    rows: new Map(tables.flatMap(({ rows }) => [...rows])),
    freeProviders: new Set(tables.flatMap(({ freeProviders }) => [...freeProviders])),
  }
}

function readTable(text: string): PriceTexts {
  const rows = new Map<string, () => PriceRow>()
  const sources: string[] = []
  const rates: string[] = []
  const freeProviders = new Set<string>()
  let date = ""
  let provider = ""
  for (const line of text.split("\n")) {
    const rest = line.slice(1)
    switch (line[0]) {
      case "\t": {
        const key = `${provider}/${rest.slice(0, rest.indexOf("\t"))}`
        const owner = provider
        rows.set(key, () => readRow(key, owner, rest, { sources, rates }))
        break
      }
      case "d":
        date = rest
        break
      case "s":
        sources.push(rest)
        break
      case "r":
        rates.push(rest)
        break
      case "p":
        provider = rest
        break
      case "f":
        freeProviders.add(rest)
        break
    }
  }
  return { date, rows, freeProviders }
}

const UNLIMITED_SEARCHES: Unbounded = {
  reason: "searches",
  explanation:
    "it decides how often it searches, and each search is billed. Add a price with createPriceTable to get a bound.",
}

function readRow(
  model: string,
  provider: string,
  text: string,
  parts: { sources: readonly string[]; rates: readonly string[] },
): PriceRow {
  const [, rates = "", source = "", flags = ""] = text.split("\t")
  const describedSource = parts.sources[Number.parseInt(source, 36) || 0]!
  return {
    model,
    provider,
    sheets: readSheets(parts.rates[Number.parseInt(rates, 36)]!),
    ...(flags.includes("C") ? { cacheWriteOnRequest: true } : {}),
    ...(flags.includes("F") ? { free: true } : {}),
    ...(flags.includes("S") ? { unbounded: UNLIMITED_SEARCHES } : {}),
    asOf: describedSource.slice(0, 10),
    source: describedSource.slice(11),
    basis: "table",
  }
}
