import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { MESSAGE_FIELDS } from "../../src/protocols/anthropic/fields"
import { CONFIG_FIELDS, REQUEST_FIELDS } from "../../src/protocols/gemini/fields"
import type { BodyFields } from "../../src/protocols/variants/body-fields"
import { ANTHROPIC } from "./features/anthropic"
import { boundOf, describePlain, describeRow, type FeatureTable, markdownOf, rejectionFor } from "./features/feature"
import { GEMINI, GEMINI_EMBEDDINGS } from "./features/gemini"

const PAGES: Readonly<Record<string, Readonly<Record<string, FeatureTable>>>> = {
  "anthropic.md": { messages: ANTHROPIC },
  "gemini.md": { content: GEMINI, embeddings: GEMINI_EMBEDDINGS },
}

describe.each([ANTHROPIC, GEMINI, GEMINI_EMBEDDINGS])("$title", (table) => {
  it.each(table.rows.filter((row) => "bounded" in row))("bounds $feature", (row) => {
    const description = describeRow(table, row)
    expect(description).toMatchObject({ status: "priced" })
    if (description.status !== "priced" || !("bounded" in row)) return
    const difference = boundOf(description) - boundOf(describePlain(table, row))
    expect(row.bound).toBe(difference > 0 ? "higher" : difference < 0 ? "lower" : "equal")
    expect(row.source).toMatch(/https:|`@p2\//)
  })

  it.each(table.rows.filter((row) => "rejected" in row))("rejects $feature", (row) => {
    if (!("rejected" in row)) return
    const { reason, message } = rejectionFor(table, row)
    expect(reason).toBe(row.rejected)
    // Every message says what to do.
    expect(message).toMatch(
      /Omit|Send|Set|Pass|Read|Use|Add|Ask|Check|expected|Run|Raise|Define|Connect|Call|Fetch|Search|Embed|Similar ids/,
    )
  })
})

describe("completeness", () => {
  const fieldsOf = ({ free, read, counted, rejected = {} }: BodyFields) => [
    ...(free ?? []),
    ...(read ?? []),
    ...(counted ?? []),
    ...Object.keys(rejected),
  ]
  const bodiesOf = ({ body, rows }: FeatureTable) => [body, ...rows.map((row) => row.body)]

  it("has a row for every field of Anthropic's Messages API", () => {
    const shown = new Set(bodiesOf(ANTHROPIC).flatMap(Object.keys))
    expect(fieldsOf(MESSAGE_FIELDS).filter((field) => field !== "model" && !shown.has(field))).toEqual([])
  })

  it("has a row for every field of Gemini's generateContent", () => {
    const bodies = bodiesOf(GEMINI)
    const shown = new Set(bodies.flatMap(Object.keys))
    expect(fieldsOf(REQUEST_FIELDS).filter((field) => field !== "model" && !shown.has(field))).toEqual([])
    const configs = bodies.flatMap(({ generationConfig }) => Object.keys(generationConfig ?? {}))
    const missing = fieldsOf(CONFIG_FIELDS).filter((field) => !configs.includes(field))
    // One row shows both.
    expect(missing).toEqual(["modelSelectionConfig"])
  })
})

/** `vitest -u` writes the tables into the pages. */
it.each(Object.keys(PAGES))("agrees with docs/%s", async (name) => {
  const path = new URL(`../../docs/${name}`, import.meta.url).pathname
  let page = readFileSync(path, "utf8")
  for (const [table, rows] of Object.entries(PAGES[name]!)) {
    const section = new RegExp(`(<!-- table: ${table} -->\n)[^]*?(<!-- end -->)`)
    expect(page).toMatch(section)
    page = page.replace(section, (_, start: string, end: string) => `${start}\n${markdownOf(rows)}\n\n${end}`)
  }
  await expect(page).toMatchFileSnapshot(path)
})
