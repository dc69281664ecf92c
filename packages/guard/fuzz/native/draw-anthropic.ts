import fc from "fast-check"
import { base64, optional, schema, text } from "./draw-text"
import { fault, type NativeCall, nativeProtocol } from "./native-call"

type Block = Record<string, unknown>

const MODELS = [
  ...["claude-opus-4-1", "claude-opus-4-5", "claude-opus-4-7", "claude-opus-5"],
  ...["claude-sonnet-4-5", "claude-sonnet-5", "claude-haiku-4-5", "claude-haiku-5-5"],
]

/** Models with `inference_geo`. */
const REGIONAL: ReadonlySet<string> = new Set([
  "claude-opus-4-7",
  "claude-opus-5",
  "claude-sonnet-5",
  "claude-haiku-5-5",
])

const cacheControl = fc.constantFrom(
  { type: "ephemeral" },
  { type: "ephemeral", ttl: "5m" },
  { type: "ephemeral", ttl: "1h" },
)

const textBlock: fc.Arbitrary<Block> = fc
  .tuple(text, optional(cacheControl, 4))
  .map(([value, mark]) => ({ type: "text", text: value, ...(mark && { cache_control: mark }) }))

const image: fc.Arbitrary<Block> = fc
  .oneof(
    base64.map((data) => ({ type: "base64", media_type: "image/png", data })),
    fc.constant({ type: "url", url: "https://example.org/a.png" }),
  )
  .map((source) => ({ type: "image", source }))

const document: fc.Arbitrary<Block> = fc
  .oneof(
    text.map((data) => ({ type: "text", media_type: "text/plain", data })),
    fc.array(textBlock, { maxLength: 3 }).map((content) => ({ type: "content", content })),
    base64.map((data) => ({ type: "base64", media_type: "application/pdf", data })),
  )
  .map((source) => ({ type: "document", source }))

const history: fc.Arbitrary<Block> = fc.oneof(
  text.map((thinking) => ({ type: "thinking", thinking, signature: "c2ln" })),
  fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), text, { maxKeys: 3 }).map((input) => ({
    type: "tool_use",
    id: "toolu_1",
    name: "find",
    input,
  })),
)

const result: fc.Arbitrary<Block> = fc
  .oneof(text, fc.array(fc.oneof(textBlock, image), { maxLength: 3 }))
  .map((content) => ({ type: "tool_result", tool_use_id: "toolu_1", content }))

const message = fc.oneof(
  fc
    .oneof(
      text,
      fc.array(fc.oneof({ weight: 4, arbitrary: textBlock }, image, document, result), { minLength: 1, maxLength: 4 }),
    )
    .map((content) => ({ role: "user", content })),
  fc
    .array(fc.oneof(textBlock, history), { minLength: 1, maxLength: 3 })
    .map((content) => ({ role: "assistant", content })),
)

const tool = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(schema, text, optional(cacheControl, 4)).map(([input_schema, description, mark]) => ({
      name: "find",
      description,
      input_schema,
      ...(mark && { cache_control: mark }),
    })),
  },
  fc.constantFrom(
    { type: "bash_20250124", name: "bash" },
    { type: "text_editor_20250728", name: "str_replace_based_edit_tool" },
    { type: "computer_20250124", name: "computer", display_height_px: 768, display_width_px: 1024 },
  ),
  fc.nat(4).map((max_uses) => ({ type: "web_search_20250305", name: "web_search", max_uses })),
)

const call: fc.Arbitrary<NativeCall> = fc
  .record({
    model: fc.constantFrom(...MODELS),
    system: optional(fc.oneof(text, fc.array(textBlock, { maxLength: 3 }))),
    messages: fc.array(message, { minLength: 1, maxLength: 4 }),
    tools: optional(fc.array(tool, { maxLength: 3 })),
    tool_choice: optional(fc.constantFrom({ type: "auto" }, { type: "any" }, { type: "none" }), 4),
    max_tokens: fc.integer({ min: 1, max: 3000 }),
    thinking: optional(fc.constantFrom({ type: "adaptive" }, { type: "enabled", budget_tokens: 1024 }), 4),
    stream: optional(fc.boolean()),
    cache_control: optional(cacheControl, 6),
    service_tier: optional(fc.constantFrom("auto", "standard_only"), 6),
    inference_geo: optional(fc.constantFrom("us", "global"), 4),
    speed: optional(fc.constantFrom("fast", "standard"), 4),
    output_config: optional(
      schema.map((each) => ({ format: { type: "json_schema", schema: each } })),
      6,
    ),
    long: fc.integer({ min: 0, max: 40 }),
    fault,
  })
  .map(({ fault: given, long, thinking, max_tokens, speed, inference_geo: geo, messages, ...rest }) => ({
    path: "/v1/messages",
    body: withoutUndefined({
      ...rest,
      // Some prompts are long enough for the cache and for higher prices.
      messages:
        long < 4 ? [{ role: "user", content: "word ".repeat(long < 2 ? 1500 : 24_000) }, ...messages] : messages,
      max_tokens: thinking?.type === "enabled" ? max_tokens + 1100 : max_tokens,
      thinking,
      speed: rest.model === "claude-opus-5" ? speed : undefined,
      inference_geo: REGIONAL.has(rest.model) ? geo : undefined,
    }),
    fault: given,
  }))

function withoutUndefined(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

/** Anthropic's Messages API. */
export const anthropicMessages = nativeProtocol("anthropic-messages", call, {
  host: "https://api.anthropic.com",
  localBaseURL: ({ anthropicBaseURL }) => anthropicBaseURL,
  headers: { "x-api-key": "local", "anthropic-version": "2023-06-01" },
})
