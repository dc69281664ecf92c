import type { ContextTier, DailyWindow, PriceRow, PriceSheet, Unbounded } from "./price-row"
import type { RateKind, Rates } from "./rates"

/**
 * The text form of the generated tables. Lines, by their first character:
 *
 * - `d<day>` the day of the newest source;
 * - `s<day> <source>` a source, numbered from 0;
 * - `r<sheets>` rates, numbered from 0 (below);
 * - `l<context>,<input>,<output>` limits in tokens, any of them empty, numbered from 0; an output of `=` is the context window,
 *   which input and output share, one after `~` is what another seller of the same model lists;
 * - `p<provider> <flags>` starts a provider; flag `1`: its bare names are aliases;
 * - `a<alias> <key>` one more alias;
 * - `x<provider> <provider>` another name for a provider;
 * - `f<provider>` a provider whose models run on the user's own machine, and are free;
 * - anything after a tab is a row of the provider: `\t<name>\t<rates>\t<limits>\t<source>\t<flags>`, numbers in base 36,
 *   with flag `F` free, `C` cache writes happen on request only, `S` searches as often as it likes, `X` no bare name.
 *
 * Sheets are separated by `|`. A sheet is `<head>><tiers>`, or only tiers when the head says nothing. The head is
 * `<service tier>@<from>@<until>@<weekdays>@<start minute>@<end minute>@<b when bound only>`, cut where it says no more.
 * Tiers are separated by `;` and read `<from input tokens>:<rates>`, the first without its 0. Rates are USD per million
 * tokens (per piece for `q` and `s`): the input, a space, the output, then letters, each with a number.
 */
export const RATE_LETTERS: Readonly<Record<Exclude<RateKind, "input" | "output">, string>> = {
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
}

const KIND_OF: ReadonlyMap<string, Exclude<RateKind, "input" | "output">> = /* @__PURE__ */ new Map(
  (Object.keys(RATE_LETTERS) as Exclude<RateKind, "input" | "output">[]).map((kind) => [RATE_LETTERS[kind], kind]),
)

/** USD per million tokens, in at most six decimals, to pico-USD per token. Rounding only undoes the binary fraction. */
function pico(text: string): number {
  return Math.round(Number(text) * 1e6)
}

/** USD per piece to pico-USD per piece. */
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
    rates[kind] = kind === "request" || kind === "search" ? picoPiece(value!) : pico(value!)
  }
  return rates
}

function readTier(text: string): ContextTier {
  const colon = text.indexOf(":")
  return { fromInputTokens: colon < 0 ? 0 : Number(text.slice(0, colon)), rates: readRates(text.slice(colon + 1)) }
}

/** Reads the text form of sheets. */
export function readSheets(text: string): PriceSheet[] {
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

/** What one generated table says, before its rows are read. */
export interface TableIndex {
  date: string
  /** Rows still in text form, by key. */
  rows: Map<string, () => PriceRow>
  aliases: Map<string, string>
  providerNames: Map<string, string>
  freeProviders: Set<string>
}

/** Reads a table up to its rows; each row is read when it is first asked for. */
export function readTable(text: string, into: TableIndex): void {
  const sources: string[] = []
  const rates: string[] = []
  const limits: string[] = []
  let provider = ""
  let bare = false
  for (const line of text.split("\n")) {
    const rest = line.slice(1)
    switch (line[0]) {
      case "\t": {
        const name = rest.slice(0, rest.indexOf("\t"))
        const owner = provider
        const key = `${owner}/${name}`
        into.rows.set(key, () => readRow(key, owner, rest, { sources, rates, limits }))
        if (bare && !line.endsWith("X") && !name.includes("/")) into.aliases.set(name, key)
        break
      }
      case "d":
        if (rest > into.date) into.date = rest
        break
      case "s":
        sources.push(rest)
        break
      case "r":
        rates.push(rest)
        break
      case "l":
        limits.push(rest)
        break
      case "p":
        provider = rest.replace(/ 1$/, "")
        bare = rest.endsWith(" 1")
        break
      case "a":
        addPair(into.aliases, rest)
        break
      case "x":
        addPair(into.providerNames, rest)
        break
      case "f":
        into.freeProviders.add(rest)
        break
    }
  }
}

const SEARCHES_FREELY: Unbounded = {
  reason: "searches",
  why: "it searches as often as it sees fit, and each search is billed. A price of your own with createPriceTable can be bounded.",
}

function readMaxOutput(text: string, context: string): Pick<PriceRow, "maxOutputTokens" | "maxOutputBasis"> {
  if (text === "") return {}
  if (text === "=") return { maxOutputTokens: Number(context), maxOutputBasis: "context window" }
  if (text.startsWith("~")) return { maxOutputTokens: Number(text.slice(1)), maxOutputBasis: "same model" }
  return { maxOutputTokens: Number(text), maxOutputBasis: "listed" }
}

function addPair(map: Map<string, string>, pair: string): void {
  const space = pair.indexOf(" ")
  map.set(pair.slice(0, space), pair.slice(space + 1))
}

function readRow(
  model: string,
  provider: string,
  text: string,
  parts: { sources: string[]; rates: string[]; limits: string[] },
): PriceRow {
  const [, rates = "", limits = "", source = "", flags = ""] = text.split("\t")
  const said = parts.sources[Number.parseInt(source, 36) || 0]!
  const [context = "", input = "", output = ""] = (parts.limits[Number.parseInt(limits, 36)] ?? "").split(",")
  return {
    model,
    provider,
    sheets: readSheets(parts.rates[Number.parseInt(rates, 36)]!),
    ...(context === "" ? {} : { contextWindow: Number(context) }),
    ...(input === "" ? {} : { maxInputTokens: Number(input) }),
    ...readMaxOutput(output, context),
    ...(flags.includes("C") ? { cacheWriteOnRequest: true } : {}),
    ...(flags.includes("F") ? { free: true } : {}),
    ...(flags.includes("S") ? { unbounded: SEARCHES_FREELY } : {}),
    asOf: said.slice(0, 10),
    source: said.slice(11),
    basis: "table",
  }
}
