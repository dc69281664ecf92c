import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { describeCall } from "../../src/protocols"
import { SPEECH_FIELDS, TRANSCRIPTION_FIELDS } from "../../src/protocols/openai-audio/audio-fields"
import { BATCH_FIELDS } from "../../src/protocols/openai-batch/describe-batch"
import { CHAT_FIELDS } from "../../src/protocols/openai-chat/chat-fields"
import { IMAGE_FIELDS } from "../../src/protocols/openai-images/image-fields"
import { responsesFieldsOf } from "../../src/protocols/openai-responses/responses-fields"
import type { BodyFields } from "../../src/protocols/variants/body-fields"
import { callTo, context } from "./features/feature"

const require = createRequire(import.meta.url)

/** The source of the types of one major version of OpenAI's SDK. */
function typesOf(sdk: string, file: string): string {
  return readFileSync(join(dirname(require.resolve(sdk)), "resources", `${file}.d.ts`), "utf8")
}

/** The body of an interface, at the top or inside a namespace. */
function interfaceOf(types: string, name: string): string {
  const start = new RegExp(`^( *)(?:export )?interface ${name}(?:<.*>)? \\{`, "m").exec(types)
  if (start === null) throw new Error(`There is no interface ${name}.`)
  const end = types.indexOf(`\n${start[1]}}`, start.index)
  return types.slice(start.index, end)
}

function fieldsOf(types: string, name: string): string[] {
  return [...interfaceOf(types, name).matchAll(/^ {4}(\w+)\??:/gm)].map((match) => match[1]!)
}

/** The values of `type` in all members of a union, whose members may be in a namespace. */
function typeValues(types: string, union: string): string[] {
  const members = new RegExp(`^export type ${union} = (.*);`, "m").exec(types)![1]!.split(" | ")
  return members.flatMap((member) => {
    const name = member.includes(".") ? member.slice(member.indexOf(".") + 1) : member
    const scope = member.includes(".") ? types.slice(types.indexOf(`namespace ${member.split(".")[0]} {`)) : types
    const field = /^\s+type\??: (.*);/m.exec(interfaceOf(scope, name))
    return [...(field?.[1] ?? "").matchAll(/'([\w-]+)'/g)].map((match) => match[1]!)
  })
}

function knownIn(...tables: readonly BodyFields[]): Set<string> {
  return new Set(
    tables.flatMap(({ free, read, counted, rejected = {} }) => [
      ...(free ?? []),
      ...(read ?? []),
      ...(counted ?? []),
      ...Object.keys(rejected),
    ]),
  )
}

/** Everything that the SDK can send is listed by name, so a new version shows what is new. */
describe.each(["openai", "openai7"])("the types of %s", (sdk) => {
  it("have no field of a chat completion without a rule", () => {
    const known = knownIn(CHAT_FIELDS)
    const fields = fieldsOf(typesOf(sdk, "chat/completions/completions"), "ChatCompletionCreateParamsBase")
    expect(fields.length).toBeGreaterThan(30)
    expect(fields.filter((field) => !known.has(field))).toEqual([])
  })

  it("have no field of a response without a rule", () => {
    const known = knownIn(...responsesFieldsOf("openai"))
    const fields = fieldsOf(typesOf(sdk, "responses/responses"), "ResponseCreateParamsBase")
    expect(fields.length).toBeGreaterThan(25)
    expect(fields.filter((field) => !known.has(field))).toEqual([])
  })

  it("have no field of an embedding without a rule", () => {
    for (const field of fieldsOf(typesOf(sdk, "embeddings"), "EmbeddingCreateParams")) {
      const body = {
        model: "text-embedding-3-small",
        input: "a",
        ...(field === "model" || field === "input" ? {} : { [field]: "a" }),
      }
      expect(describeCall(callTo("https://api.openai.com/v1/embeddings", body), context).status).toBe("priced")
    }
  })

  it("have no field of an image, speech, transcription or batch without a rule", () => {
    const tables = [
      ["images", "ImageGenerateParamsBase", IMAGE_FIELDS],
      ["images", "ImageEditParamsBase", IMAGE_FIELDS],
      ["images", "ImageCreateVariationParams", IMAGE_FIELDS],
      ["audio/speech", "SpeechCreateParams", SPEECH_FIELDS],
      ["audio/transcriptions", "TranscriptionCreateParamsBase", TRANSCRIPTION_FIELDS],
      ["audio/translations", "TranslationCreateParams", TRANSCRIPTION_FIELDS],
      ["batches", "BatchCreateParams", BATCH_FIELDS],
    ] as const
    for (const [file, name, table] of tables) {
      const fields = fieldsOf(typesOf(sdk, file), name)
      expect(fields.length).toBeGreaterThan(2)
      expect(fields.filter((field) => !knownIn(table).has(field))).toEqual([])
    }
  })

  it("have no tool without a rule but programmatic calls", () => {
    const tools = typeValues(typesOf(sdk, "responses/responses"), "Tool")
    expect(tools).toEqual(expect.arrayContaining(["function", "web_search", "mcp", "apply_patch", "computer"]))
    expect(tools.filter((type) => isUnknown({ tools: [{ type, name: "a", tools: [] }], max_tool_calls: 1 }))).toEqual([
      "programmatic_tool_calling",
    ])
  })

  it("have no input item without a rule but programs", () => {
    const items = typeValues(typesOf(sdk, "responses/responses"), "ResponseInputItem")
    expect(items).toEqual(expect.arrayContaining(["message", "reasoning", "mcp_call", "additional_tools"]))
    const fields = { role: "user", content: "a", output: "a", tools: [] }
    expect(items.filter((type) => isUnknown({ input: [{ ...fields, type }] }))).toEqual(["program", "program_output"])
  })
})

function isUnknown(body: Record<string, unknown>): boolean {
  const call = callTo("https://api.openai.com/v1/responses", { model: "gpt-5", ...body })
  const description = describeCall(call, context)
  return description.status === "rejected" && description.reason === "unknown-field"
}
