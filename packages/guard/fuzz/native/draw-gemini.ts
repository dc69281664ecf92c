import fc from "fast-check"
import { base64, optional, schema, text } from "./draw-text"
import { fault, type NativeCall, nativeProtocol } from "./native-call"

type Part = Record<string, unknown>

const MODELS = [
  ...["gemini-2.0-flash", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"],
  ...["gemini-3-flash-preview", "gemini-3.1-pro-preview"],
]

const media: fc.Arbitrary<Part> = fc
  .tuple(fc.constantFrom("image/png", "audio/wav", "audio/mp3", "video/mp4", "application/pdf", "text/plain"), base64)
  .map(([mimeType, data]) => ({ inlineData: { mimeType, data } }))

const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 5, arbitrary: text.map((value) => ({ text: value })) },
  media,
  fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), text, { maxKeys: 3 }).map((response) => ({
    functionResponse: { name: "find", response },
  })),
)

const content = fc.oneof(
  fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => ({ role: "user", parts })),
  fc.array(text, { minLength: 1, maxLength: 2 }).map((texts) => ({
    role: "model",
    parts: texts.map((value) => ({ text: value, thoughtSignature: "c2ln" })),
  })),
)

const functions = schema.map((parameters) => ({ functionDeclarations: [{ name: "find", parameters }] }))
const search = fc.constantFrom({ googleSearch: {} }, { google_search: {} })

const config = fc
  .record({
    maxOutputTokens: optional(fc.integer({ min: 1, max: 3000 }), 4),
    candidateCount: optional(fc.integer({ min: 1, max: 3 }), 3),
    thinkingConfig: optional(fc.constantFrom({ thinkingBudget: 0 }, { thinkingBudget: 512 }, { thinkingLevel: "LOW" })),
    responseJsonSchema: optional(schema, 5),
    temperature: optional(fc.constant(1)),
  })
  .map(({ thinkingConfig, ...rest }) => ({
    ...withoutUndefined(rest),
    ...(thinkingConfig && { thinkingConfig }),
  }))

const generate: fc.Arbitrary<NativeCall> = fc
  .record({
    model: fc.constantFrom(...MODELS),
    method: fc.constantFrom("generateContent", "streamGenerateContent", "streamGenerateContent?alt=sse"),
    contents: fc.array(content, { minLength: 1, maxLength: 4 }),
    systemInstruction: optional(text.map((value) => ({ parts: [{ text: value }] }))),
    functions: fc.array(functions, { maxLength: 2 }),
    search: optional(search, 2),
    generationConfig: optional(config, 5),
    cachedContent: optional(fc.constant("cachedContents/a"), 8),
    isSnakeCase: fc.boolean(),
    long: fc.integer({ min: 0, max: 40 }),
    fault,
  })
  .map(({ model, method, isSnakeCase, long, fault: given, contents, generationConfig, functions, search, ...rest }) => {
    const padding = { role: "user", parts: [{ text: "word ".repeat(48_000) }] }
    const body = withoutUndefined({
      ...rest,
      // Later models bill each query, so the guard rejects the tool.
      tools: [...functions, ...(search !== undefined && model.startsWith("gemini-2") ? [search] : [])],
      contents: long === 0 ? [padding, ...contents] : contents,
      [isSnakeCase ? "generation_config" : "generationConfig"]: generationConfig,
    })
    return callOf(model, method, body, given)
  })

const embed: fc.Arbitrary<NativeCall> = fc
  .tuple(fc.array(text, { minLength: 1, maxLength: 4 }), fault)
  .map(([texts, given]) => {
    const requests = texts.map((value) => ({ content: { parts: [{ text: value }] } }))
    const body = requests.length === 1 ? requests[0]! : { requests }
    return callOf("gemini-embedding-001", requests.length === 1 ? "embedContent" : "batchEmbedContents", body, given)
  })

const call: fc.Arbitrary<NativeCall> = fc.oneof({ weight: 6, arbitrary: generate }, embed)

function callOf(model: string, method: string, body: Record<string, unknown>, given: NativeCall["fault"]): NativeCall {
  return { path: `/v1beta/models/${model}:${method}`, body, fault: given }
}

function withoutUndefined(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

/** Gemini's content and embeddings. */
export const gemini = nativeProtocol("gemini", call, {
  host: "https://generativelanguage.googleapis.com",
  localBaseURL: ({ geminiBaseURL }) => geminiBaseURL,
  headers: { "x-goog-api-key": "local" },
})
