import { P2Error } from "@p2/core"
import { expect, test } from "vitest"
import * as bound from "../src/cl100k_base"
import * as tokens from "../src/index"

/* Common usage errors in plain JavaScript: each message names the argument and says what to write instead. */
const t = tokens as unknown as Record<string, (...args: unknown[]) => unknown>
const b = bound as unknown as Record<string, (...args: unknown[]) => unknown>
const gpt = { model: "gpt-4o" }
const messages = [{ role: "user", content: "a" }]
const request = (part: object) => t.countRequestTokens?.({ ...gpt, messages: [], ...part })

test.each<[string, () => unknown, string]>([
  ["no options", () => t.countTokens?.("a"), 'Invalid `options`: expected { model: "gpt-4o-mini" } or'],
  [
    "the model as a string",
    () => t.countTokens?.("a", "gpt-4o"),
    'Invalid `options`: expected { model: "gpt-4o-mini" } or',
  ],
  [
    "a misspelled model option",
    () => t.countTokens?.("a", { modle: "gpt-4o" }),
    "Unknown option `modle`. Did you mean `model`?",
  ],
  ["neither model nor encoding", () => t.countTokens?.("a", {}), "Invalid `options`: set `model`"],
  ["model and encoding", () => t.countTokens?.("a", { ...gpt, encoding: "o200k_base" }), "set only one of `model`"],
  [
    "a misspelled encoding",
    () => t.countTokens?.("a", { encoding: "o200k" }),
    'expected "o200k_base", "o200k_harmony"',
  ],
  ["a model as the encoding", () => t.countTokens?.("a", { encoding: "gpt-4o" }), "for a model write { model }, got"],
  [
    "a misspelled basis",
    () => t.countTokens?.("a", { ...gpt, countBy: "bound" }),
    '`countBy`: expected "estimate" or "upperBound"',
  ],
  ["messages as text", () => t.countTokens?.(messages, gpt), "countRequestTokens() counts messages"],
  ["a promise as text", () => t.countTokens?.(Promise.resolve("a"), gpt), "`await`"],
  [
    "bytes as text",
    () => t.countTokens?.(Buffer.from("a"), gpt),
    "Invalid `text`: expected a string, got an instance of Buffer",
  ],
  [
    "a key as model",
    () => t.countTokens?.("a", { model: `sk-${"a".repeat(40)}` }),
    "got a string that looks like an API key",
  ],
  [
    "maxTokens as a string",
    () => t.truncateToTokens?.("a", "5", gpt),
    "Invalid `maxTokens`: expected an integer of at least 0, got",
  ],
  ["maxTokens among the options", () => t.truncateToTokens?.("a", { ...gpt, maxTokens: 5 }), "Invalid `maxTokens`"],
  [
    "a negative limit",
    () => t.isWithinTokenLimit?.("a", -1, gpt),
    "Invalid `maxTokens`: expected an integer of at least 0, got -1",
  ],
  ["a misspelled maxTokens", () => t.splitByTokens?.("a", { ...gpt, maxTokes: 5 }), "Did you mean `maxTokens`?"],
  [
    "another library's overlap",
    () => t.splitByTokens?.("a", { ...gpt, maxTokens: 5, overlap: 2 }),
    "Did you mean `overlapTokens`?",
  ],
  ["another library's chunk size", () => t.splitByTokens?.("a", { ...gpt, chunkSize: 5 }), "Did you mean `maxTokens`?"],
  [
    "overlap as large as the part",
    () => t.splitByTokens?.("a", { ...gpt, maxTokens: 5, overlapTokens: 5 }),
    "expected less than `maxTokens`, which is 5, got 5",
  ],
  [
    "a special token as a string",
    () => t.encode?.("a", { ...gpt, allowedSpecial: "<|endoftext|>" }),
    'expected "all" or an array of names',
  ],
  [
    "a special token of another encoding",
    () => t.encode?.("a", { ...gpt, allowedSpecial: ["<|im_start|>"] }),
    "expected a special token of o200k_base",
  ],
  ["tokens as a string", () => t.decode?.("abc", gpt), "Invalid `tokens`: expected an array of tokens"],
  ["a token that does not exist", () => t.decode?.([999_999], gpt), "expected a token of o200k_base, got 999999"],
  [
    "a choice at an entry with one encoding",
    () => b.countTokens?.("a", gpt),
    "Unknown option `model`. This entry point has a fixed encoding",
  ],
  [
    "arguments instead of an object",
    () => t.countRequestTokens?.("gpt-4o", messages),
    "Invalid `input`: expected an object such as { model:",
  ],
  [
    "a prompt",
    () => request({ prompt: "a" }),
    'Unknown option `prompt`. Write `messages: [{ role: "user", content: prompt }]`.',
  ],
  ["a system prompt", () => request({ system: "a" }), "Unknown option `system`. Write `messages: [{ role:"],
  ["a maximum of output", () => request({ maxTokens: 5 }), "only input tokens are counted"],
  ["OpenAI's name of the format", () => request({ response_format: {} }), "Did you mean `answerFormat`?"],
  [
    "a misspelled role",
    () => request({ messages: [{ role: "usr", content: "a" }] }),
    '`messages[0].role`: expected "system", "developer", "user", "assistant" or "tool", got "usr"',
  ],
  [
    "Anthropic's form of a tool",
    () => request({ tools: [{ name: "f", input_schema: {} }] }),
    'as in { type: "function", function: { name',
  ],
  [
    "an image URL as a string",
    () => request({ messages: [{ role: "user", content: [{ type: "image_url", image_url: "https://a" }] }] }),
    'as in { type: "image_url", image_url: { url } }',
  ],
  [
    "the report of another shape",
    () => tokens.createCalibration().calibrate("gpt-4o", { tokens: 5 } as never),
    "Did you mean `counted`?",
  ],
  ["no model", () => t.estimateTokens?.("a"), "Invalid `model`: expected a model id"],
  ["a misspelled model id", () => t.getModelLimits?.("gpt-4o-mni"), 'Similar ids: "gpt-4o-mini"'],
])("%s", (_, call, message) => {
  let thrown: unknown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  expect(P2Error.isInstance(thrown) && thrown.kind).toBe("usage")
  expect((thrown as Error).message).toContain(message)
})

test("asynchronous functions reject with usage errors", async () => {
  await expect(tokens.countTokensAsync(5 as never, { model: "gpt-4o" })).rejects.toThrow("Invalid `source`")
  await expect(tokens.countTokensAsync("a", { modle: "gpt-4o" } as never)).rejects.toThrow("Did you mean `model`?")
  await expect(bound.countTokensAsync("a", { model: "gpt-4o" } as never)).rejects.toThrow("fixed encoding")
})

test("errors with fields are recognized by code and by isInstance", () => {
  const thrownBy = (call: () => unknown): unknown => {
    try {
      return call()
    } catch (error) {
      return error
    }
  }
  const noTokenizer = thrownBy(() => tokens.encode("a", { model: "claude-sonnet-4-5" }))
  const unbounded = thrownBy(() =>
    tokens.countRequestTokens({
      model: "my-model",
      messages: [{ role: "user", content: [{ type: "file", file: { file_id: "f" } }] }],
    }),
  )
  expect(tokens.NoPublicTokenizerError.isInstance(noTokenizer)).toBe(true)
  expect(tokens.NoPublicTokenizerError.isInstance(unbounded)).toBe(false)
  expect(tokens.UnboundedInputError.isInstance(unbounded)).toBe(true)
  const error = unbounded as tokens.TokensError
  // The code alone gives the type its fields.
  expect(error.code === "unbounded-input" && error.path).toBe("messages[0].content[0]")
})
