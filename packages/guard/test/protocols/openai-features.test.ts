import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { SPEECH_FIELDS, TRANSCRIPTION_FIELDS } from "../../src/protocols/openai-audio/audio-fields"
import { BATCH_FIELDS } from "../../src/protocols/openai-batch/describe-batch"
import { CHAT_FIELDS, chatFieldsOf } from "../../src/protocols/openai-chat/chat-fields"
import { IMAGE_FIELDS } from "../../src/protocols/openai-images/image-fields"
import { RESPONSES_FIELDS, responsesFieldsOf } from "../../src/protocols/openai-responses/responses-fields"
import type { BodyFields } from "../../src/protocols/variants/body-fields"
import { KNOWN_PROVIDERS } from "../../src/protocols/variants/known-providers"
import { boundOf, describePlain, describeRow, type FeatureTable, markdownOf, rejectionFor } from "./features/feature"
import { SPEECH, TRANSCRIPTIONS } from "./features/openai-audio"
import { BATCHES, batchMarkdown, boundOfLine } from "./features/openai-batches"
import { CHAT } from "./features/openai-chat"
import { IMAGE_EDITS, IMAGES } from "./features/openai-images"
import { describePathRow, PATHS, pathsMarkdown } from "./features/openai-paths"
import { EMBEDDINGS, RESPONSES } from "./features/openai-responses"
import { VARIANTS } from "./features/openai-variants"

const TABLES = {
  chat: CHAT,
  responses: RESPONSES,
  embeddings: EMBEDDINGS,
  images: IMAGES,
  edits: IMAGE_EDITS,
  transcriptions: TRANSCRIPTIONS,
  speech: SPEECH,
  variants: VARIANTS,
}

describe.each(Object.values(TABLES))("$title", (table) => {
  it.each(table.rows.filter((row) => "bounded" in row))("bounds $feature", (row) => {
    const description = describeRow(table, row)
    expect(description).toMatchObject({ status: "priced" })
    if (description.status !== "priced" || !("bounded" in row)) return
    const difference = boundOf(description) - boundOf(describePlain(table, row))
    expect(row.bound).toBe(difference > 0 ? "higher" : difference < 0 ? "lower" : "equal")
  })

  it.each(table.rows.filter((row) => "rejected" in row))("rejects $feature", (row) => {
    if (!("rejected" in row)) return
    const { reason, message } = rejectionFor(table, row)
    expect(reason).toBe(row.rejected)
    // Every message says what to do.
    expect(message).toMatch(/Omit|Send|Pass|Use|Add|Check|expected|Remove|Call|Search|Create|Similar ids/)
  })
})

const fieldsOf = ({ free, read, counted, rejected = {} }: BodyFields) => [
  ...(free ?? []),
  ...(read ?? []),
  ...(counted ?? []),
  ...Object.keys(rejected),
]

describe("calls in the file of a batch", () => {
  it.each(BATCHES)("$feature", async (row) => {
    const [plain, bound] = await Promise.all([BATCHES[0]!, row].map(boundOfLine))
    if ("rejected" in row) {
      expect(bound).toMatchObject({ status: "rejected", reason: row.rejected })
      return
    }
    if (plain?.status !== "bounded" || bound?.status !== "bounded") throw new Error(JSON.stringify(bound))
    const difference = bound.nanoUsd - plain.nanoUsd
    expect(row.bound).toBe(difference > 0 ? "higher" : difference < 0 ? "lower" : "equal")
  })

  it("has a row for every field of a batch", () => {
    expect(fieldsOf(BATCH_FIELDS).sort()).toEqual([
      "completion_window",
      "endpoint",
      "input_file_id",
      "metadata",
      "output_expires_after",
    ])
  })
})

describe("calls that run no model", () => {
  it.each(PATHS.flatMap((row) => row.examples.map((example) => ({ row, example }))))("$example", ({ row, example }) => {
    expect(describePathRow(row, example).status).toBe(row.free === undefined ? "rejected" : "free")
  })
})

/** Every field in the code has a row. */
describe("completeness", () => {
  const shownIn = (tables: readonly FeatureTable[]) =>
    new Set(tables.flatMap(({ body, rows }) => [body, ...rows.map((row) => row.body)].flatMap(Object.keys)))

  it("has a row for every field of OpenAI's chat completions", () => {
    const shown = shownIn([CHAT])
    expect(fieldsOf(CHAT_FIELDS).filter((field) => field !== "model" && !shown.has(field))).toEqual([])
  })

  it("has a row for every field of the Responses API", () => {
    const shown = shownIn([RESPONSES])
    const fields = [...fieldsOf(RESPONSES_FIELDS), ...fieldsOf(responsesFieldsOf("openai")[0]!)]
    expect(fields.filter((field) => field !== "model" && !shown.has(field))).toEqual([])
  })

  it("has a row for every field of the Image API", () => {
    const shown = shownIn([IMAGES, IMAGE_EDITS])
    expect(fieldsOf(IMAGE_FIELDS).filter((field) => field !== "model" && !shown.has(field))).toEqual(["images"])
  })

  it("has a row for every field of the Audio API", () => {
    const shown = shownIn([TRANSCRIPTIONS, SPEECH])
    const fields = [TRANSCRIPTION_FIELDS, SPEECH_FIELDS].flatMap(fieldsOf)
    expect(fields.filter((field) => field !== "model" && !shown.has(field))).toEqual([])
  })

  it("has a row for every field of other providers", () => {
    const shown = shownIn([VARIANTS])
    const own = [
      "openrouter",
      "azure",
      "anthropic",
      "gemini",
      "groq",
      "mistral",
      "deepseek",
      "xai",
      "together",
      "fireworks",
      "perplexity",
      "moonshotai",
    ]
    const fields = own.flatMap((provider) => fieldsOf(chatFieldsOf(provider)[0]!))
    expect(fields.filter((field) => !shown.has(field))).toEqual([])
  })

  it("has no row without a source", () => {
    const rows = Object.values(TABLES).flatMap(({ rows }) => rows)
    expect(rows.filter((row) => "bounded" in row && !/https:|`@p2\//.test(row.source))).toEqual([])
    expect(KNOWN_PROVIDERS.every(({ name, limitFields }) => name !== "" && limitFields.length > 0)).toBe(true)
  })
})

/** `vitest -u` writes the tables into the page. */
it("agrees with docs/openai.md", async () => {
  const path = new URL("../../docs/openai.md", import.meta.url).pathname
  let page = readFileSync(path, "utf8")
  const sections = Object.entries(TABLES).map(([name, table]) => [name, markdownOf(table)] as const)
  for (const [name, rows] of [
    ...sections,
    ["batches", await batchMarkdown()] as const,
    ["paths", pathsMarkdown()] as const,
  ]) {
    const section = new RegExp(`(<!-- table: ${name} -->\n)[^]*?(<!-- end -->)`)
    expect(page).toMatch(section)
    page = page.replace(section, (_, start: string, end: string) => `${start}\n${rows}\n\n${end}`)
  }
  await expect(page).toMatchFileSnapshot(path)
})
