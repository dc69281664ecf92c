// Writes rows in the text form that src/table/table-format.ts reads.
import { decimalText } from "./decimal.mjs"

const LETTERS = {
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

const PER_PIECE = new Set(["request", "search", "fileSearch", "codeSession", "image", "second", "character"])

function ratesText(rates) {
  const extras = Object.entries(LETTERS)
    .filter(([kind]) => rates[kind] !== undefined)
    .map(([kind, letter]) => letter + decimalText(rates[kind], PER_PIECE.has(kind) ? 12 : 6))
  return `${decimalText(rates.input, 6)} ${decimalText(rates.output, 6)}${extras.join("")}`
}

function sheetText(sheet) {
  const { window } = sheet
  const head = [
    sheet.serviceTier === "default" ? "" : sheet.serviceTier,
    sheet.from ?? "",
    sheet.until ?? "",
    window?.days ?? "",
    window?.start ?? "",
    window?.end ?? "",
    sheet.boundOnly ? "b" : "",
  ]
    .join("@")
    .replace(/@+$/, "")
  const tiers = sheet.tiers.map(
    (tier) => (tier.fromInputTokens > 0 ? `${tier.fromInputTokens}:` : "") + ratesText(tier.rates),
  )
  return `${head === "" ? "" : `${head}>`}${tiers.join(";")}`
}

/** Numbers values in the order of their first use, in base 36. */
class Numbering {
  texts = []
  #numbers = new Map()

  of(text) {
    let number = this.#numbers.get(text)
    if (number === undefined) {
      number = this.texts.length
      this.#numbers.set(text, number)
      this.texts.push(text)
    }
    return number.toString(36)
  }
}

/** The text of one table: rows of some providers, with what they need. */
export function tableText({ day, rows, freeProviders }) {
  const sources = new Numbering()
  const rates = new Numbering()
  const body = []
  let provider
  for (const row of rows) {
    if (row.provider !== provider) {
      provider = row.provider
      body.push(`p${provider}`)
    }
    const source = sources.of(`${row.asOf} ${row.source}`)
    const flags = [row.cacheWriteOnRequest && "C", row.free && "F", row.searchesFreely && "S"]
    const fields = [
      row.name,
      rates.of(row.sheets.map(sheetText).join("|")),
      source === "0" ? "" : source,
      flags.filter(Boolean).join(""),
    ]
    body.push(`\t${fields.join("\t").replace(/\t+$/, "")}`)
  }
  return [
    `d${day}`,
    ...sources.texts.map((text) => `s${text}`),
    ...rates.texts.map((text) => `r${text}`),
    ...freeProviders.map((name) => `f${name}`),
    ...body,
  ].join("\n")
}
