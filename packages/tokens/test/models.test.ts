import { encoding_for_model, type TiktokenModel } from "tiktoken"
import { expect, test } from "vitest"
import { countRequestTokens, countTokens, createTokenCounter } from "../src/index"

const TEXTS = ["hello", "Hello, world", "    indented\n\n        more", "naïve 中文 😀 don't 12345"]

/** tiktoken's model names for every encoding. */
const MODELS: TiktokenModel[] = [
  "davinci-002",
  "babbage-002",
  "text-davinci-003",
  "text-davinci-002",
  "text-davinci-001",
  "text-curie-001",
  "text-babbage-001",
  "text-ada-001",
  "davinci",
  "curie",
  "babbage",
  "ada",
  "code-davinci-002",
  "code-cushman-001",
  "gpt2",
  "gpt-3.5-turbo-instruct",
  "gpt-3.5-turbo-instruct-0914",
  "gpt-3.5-turbo",
  "gpt-3.5-turbo-16k",
  "gpt-4",
  "gpt-4-0613",
  "gpt-4-turbo",
  "text-embedding-ada-002",
  "text-embedding-3-small",
  "text-embedding-3-large",
  "gpt-4o",
  "gpt-4o-mini-2024-07-18",
  "chatgpt-4o-latest",
  "o1",
  "o1-mini",
  "o3-mini",
  "gpt-4.1",
]

test.each(MODELS)("%s counts as tiktoken does", (model) => {
  const reference = encoding_for_model(model)
  for (const text of TEXTS) {
    const expected = reference.encode_ordinary(text).length
    expect(countTokens(text, { model })).toBe(expected)
    expect(countTokens(text, { model: `openai/${model}` })).toBe(expected)
  }
  reference.free()
  expect(createTokenCounter({ model }).basis).toBe("exact")
})

test.each([
  ["ft:gpt-4o-2024-08-06:my-org:name:id", "gpt-4o"],
  ["ft:gpt-4o-mini-2024-07-18:my-org::id", "gpt-4o-mini"],
  ["ft:gpt-4.1-nano-2025-04-14:my-org::id", "gpt-4.1-nano"],
  ["ft:gpt-3.5-turbo-0125:my-org::id", "gpt-3.5-turbo"],
  ["ft:davinci-002:my-org::id", "davinci-002"],
])("%s counts exactly as its base", (model, base) => {
  for (const text of TEXTS) expect(countTokens(text, { model })).toBe(countTokens(text, { model: base }))
  expect(createTokenCounter({ model }).basis).toBe("exact")
  const messages = [{ role: "user" as const, content: "Hello" }]
  expect(countRequestTokens({ model, messages })).toEqual(countRequestTokens({ model: base, messages }))
})
