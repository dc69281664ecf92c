import { InvalidArgumentError, P2Error } from "@p2/core"
import { describe, expect, test } from "vitest"
import * as client from "../src/index"

const context = { model: "m", inputTokens: 2, outputTokens: 1, contextWindow: 2 }
const provider = { code: "provider-rate-limit", provider: "openai", status: 429, retryable: true } as const
const errors = [
  new client.ConnectionFailedError("openai", undefined),
  new client.ConnectionLostError("openai"),
  new client.DeadlineExceededError("idle", 10),
  new client.AnswerRefusedError("no"),
  new client.ContentFilteredError(),
  new client.AnswerTruncatedError(10, "{"),
  new client.AnswerEmptyError(),
  new client.ContextExceededError(context),
  new client.MissingKeyError("openai", "OPENAI_API_KEY", "API key"),
  new client.NoMessagesError(),
  new client.MissingPackageError("ioredis", "A store", undefined),
  new client.UnexpectedError(new Error("x")),
  new client.ClientClosedError(),
]

test.each(errors.map((error) => [error.constructor.name, error] as const))(
  "%s has its name and code",
  (name, error) => {
    expect(P2Error.isInstance(error)).toBe(true)
    expect(error.name).toBe(name)
    const words = name.replace(/Error$/, "").match(/[A-Z][a-z]+/g) ?? []
    expect(error.code).toBe(words.join("-").toLowerCase())
  },
)

test("kinds and `retryable` tell the caller what to do", () => {
  const kinds = Object.fromEntries(errors.map(({ name, kind }) => [name, kind]))
  expect(kinds).toMatchObject({ ContextExceededError: "denied", MissingKeyError: "usage", UnexpectedError: "failed" })
  expect(errors.filter(({ retryable }) => retryable).map(({ code }) => code)).toEqual([
    "connection-failed",
    "connection-lost",
    "deadline-exceeded",
  ])
})

describe("isInstance", () => {
  const classes = [
    client.ProviderError,
    client.DeadlineExceededError,
    client.AnswerRefusedError,
    client.AnswerTruncatedError,
    client.ContextExceededError,
    client.MissingKeyError,
    client.MissingPackageError,
  ]

  test.each(classes.map((each) => [each.name, each] as const))(
    "of %s is true for its own errors only",
    (name, each) => {
      const all = [...errors, new client.ProviderError(provider)]
      expect(all.filter((error) => each.isInstance(error)).map((error) => error.name)).toEqual([name])
      for (const other of [undefined, null, 5, {}, new Error("x"), new InvalidArgumentError("a", "b", 1)])
        expect(each.isInstance(other)).toBe(false)
    },
  )
})

describe("messages", () => {
  const message = (more: object) => new client.ProviderError({ ...provider, ...more }).message

  test("agree with the fields of a provider's error", () => {
    expect(message({ retryAfterMs: 1_500 })).toBe("openai returned status 429. Retry after 1500 ms.")
    // Without `retryAfterMs` the message must not name the field.
    expect(message({ providerCode: "quota" })).toBe(
      "openai returned status 429 (quota). Retry later, or set `fallbacks`.",
    )
    expect(message({ code: "provider-error", status: undefined })).toBe(
      "openai returned an error. See `error.cause.providerMessage`.",
    )
  })

  test("name the limit that the request exceeds", () => {
    const limits = { model: "m", contextWindow: 1_000, outputTokens: 64 }
    expect(new client.ContextExceededError({ ...limits, inputTokens: 990 }).message).toBe(
      "Context window exceeded (m): the request has 990 input tokens and 64 output tokens, but the context window has 1000 tokens. Shorten the messages.",
    )
    expect(new client.ContextExceededError({ ...limits, inputTokens: 600, maxInputTokens: 500 }).message).toBe(
      "Context window exceeded (m): the request has 600 input tokens, but the model accepts at most 500 input tokens. Shorten the messages.",
    )
  })
})
