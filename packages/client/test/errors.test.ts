import { P2Error } from "@p2/core"
import { expect, test } from "vitest"
import * as client from "../src/index"

const made = [
  new client.ConnectionFailedError("openai", undefined),
  new client.ConnectionLostError("openai"),
  new client.DeadlineExceededError("idle", 10),
  new client.AnswerRefusedError("no"),
  new client.ContentFilteredError(),
  new client.AnswerTruncatedError(10, "{"),
  new client.AnswerEmptyError(),
  new client.ContextExceededError({ model: "m", inputTokens: 2, outputTokens: 1, contextWindow: 2 }),
  new client.MissingKeyError("openai", "OPENAI_API_KEY", "API key"),
  new client.NoMessagesError(),
  new client.MissingPackageError("ioredis", "A store", undefined),
  new client.UnexpectedError(new Error("x")),
  new client.ClientClosedError(),
]

test.each(made.map((error) => [error.constructor.name, error] as const))("%s has its name and code", (name, error) => {
  expect(P2Error.isInstance(error)).toBe(true)
  expect(error.name).toBe(name)
  const words = name.replace(/Error$/, "").match(/[A-Z][a-z]+/g) ?? []
  expect(error.code).toBe(words.join("-").toLowerCase())
})

test("kinds say who can do something about it", () => {
  const kindOf = Object.fromEntries(made.map(({ name, kind }) => [name, kind]))
  expect(kindOf).toMatchObject({
    ContextExceededError: "denied",
    MissingKeyError: "usage",
    UnexpectedError: "failed",
  })
  expect(made.filter(({ retryable }) => retryable).map(({ code }) => code)).toEqual([
    "connection-failed",
    "connection-lost",
    "deadline-exceeded",
  ])
})
