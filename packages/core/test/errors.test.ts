import { describe, expect, it } from "vitest"
import {
  AbortedError,
  describeName,
  describeValue,
  hideString,
  InvalidAnswerError,
  InvalidArgumentError,
  InvalidRequestError,
  looksLikeKey,
  P2Error,
  UnknownModelError,
  UnsupportedSchemaError,
} from "../src/index"

describe("P2Error", () => {
  it("is recognized by its mark, from any copy of the package", () => {
    const error = new P2Error("m", { code: "x", kind: "failed" })
    expect(P2Error.isInstance(error)).toBe(true)
    expect(P2Error.isInstance(Object.assign(new Error("m"), { [Symbol.for("@p2/error")]: true }))).toBe(true)
    for (const other of [new Error("m"), null, undefined, "error", { code: "x" }])
      expect(P2Error.isInstance(other)).toBe(false)
  })

  it("has code, kind, retryable, cause and a name", () => {
    const cause = new Error("below")
    const error = new P2Error("m", { code: "x", kind: "failed", retryable: true, cause })
    expect(error).toMatchObject({ name: "P2Error", code: "x", kind: "failed", retryable: true, cause, message: "m" })
    expect(new P2Error("m", { code: "x", kind: "denied" }).retryable).toBe(false)
    expect("cause" in new P2Error("m", { code: "x", kind: "denied" })).toBe(false)
    expect(Object.keys(error)).not.toContain("Symbol(@p2/error)")
  })
})

describe("subclasses", () => {
  it("state what was expected and what was received", () => {
    const error = new InvalidArgumentError("usage.inputTokens", "an integer of at least 0", -1)
    expect(error).toMatchObject({ name: "InvalidArgumentError", code: "invalid-argument", kind: "usage" })
    expect(error.message).toBe("Invalid `usage.inputTokens`: expected an integer of at least 0, got -1.")
    expect(error).toBeInstanceOf(P2Error)
  })

  it("suggest similar model ids", () => {
    const error = new UnknownModelError("gpt-4o-minni", {
      what: "price",
      nearest: ["gpt-4o-mini"],
      remedy: "Pass one.",
    })
    expect(error).toMatchObject({ name: "UnknownModelError", code: "unknown-model", nearest: ["gpt-4o-mini"] })
    expect(error.message).toBe(
      'Unknown model "gpt-4o-minni": no price is listed. Similar ids: "gpt-4o-mini". Pass one.',
    )
    expect(new UnknownModelError("x", { what: "limit", remedy: "Pass one." }).message).toBe(
      'Unknown model "x": no limit is listed. Pass one.',
    )
  })

  it("show a model id in full, however long, but no prompt and no key", () => {
    const messageOf = (model: string) => new UnknownModelError(model, { what: "price", remedy: "Pass one." }).message
    const long = `openrouter/vendor/${"a".repeat(182)}`
    expect(long).toHaveLength(200)
    expect(messageOf(long)).toContain(`"${long}"`)
    expect(messageOf("Tell me about my illness, which nobody may know of")).toContain('"Tell m…"')
    for (const key of ["sk-proj-0123456789", "gsk_0123456789", "AIza0123456789"]) {
      expect(messageOf(key)).toContain("a string that looks like an API key")
      expect(JSON.stringify(new UnknownModelError(key, { what: "price", remedy: "" }))).not.toContain("0123")
    }
  })

  it("have the reason of a signal as their cause", () => {
    const reason = new Error("stop")
    const error = new AbortedError("The call", AbortSignal.abort(reason))
    expect(error).toMatchObject({
      code: "aborted",
      kind: "failed",
      cause: reason,
      message: "The call was aborted.",
    })
  })
})

describe("isInstance of a class", () => {
  const errors = [
    new InvalidArgumentError("x", "y", 1),
    new InvalidRequestError([], 1),
    new UnknownModelError("m", { what: "price", remedy: "" }),
    new UnsupportedSchemaError("answer", "z.file()", ""),
    new InvalidAnswerError({ reason: "json", issues: [] }),
    new AbortedError("The call"),
  ]
  const classes = [
    InvalidArgumentError,
    InvalidRequestError,
    UnknownModelError,
    UnsupportedSchemaError,
    InvalidAnswerError,
    AbortedError,
  ]

  it.each(errors.map((error, index) => [error.name, error, index] as const))(
    "recognizes %s alone",
    (_, error, index) => {
      // An error from another copy of the package has the mark and the code, and another class.
      const foreign = Object.assign(new Error(error.message), { [Symbol.for("@p2/error")]: true, code: error.code })
      for (const value of [error, foreign])
        expect(classes.map((each) => each.isInstance(value))).toEqual(classes.map((_, other) => other === index))
      for (const each of classes) expect(each.isInstance({ code: error.code })).toBe(false)
    },
  )
})

describe("describeValue", () => {
  it.each([
    ["a", '"a"'],
    ["a\nb", '"a\\nb"'],
    ["x".repeat(100), `"xxxxxx…"`],
    ["sk-0123", "a string that looks like an API key"],
    ["redis://:pass@localhost", "a URL with credentials"],
    ["http://me:pass@localhost/a", "a URL with credentials"],
    ["http://localhost/@me", '"http://localhost/@me"'],
    [5, "5"],
    [Number.NaN, "NaN"],
    [5n, "5n"],
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
    [[1, 2], "an array of 2"],
    [{ secret: 1 }, "an object"],
    [Object.create(null), "an object"],
    [new Date(0), "an instance of Date"],
    [() => 1, "a function"],
    [Symbol("x"), "Symbol(x)"],
    [Promise.resolve(1), "a promise (is an `await` missing?)"],
    [hideString("secret"), "a string"],
    [hideString(5), "5"],
  ])("shows %o as %s", (value, text) => {
    expect(describeValue(value)).toBe(text)
  })

  it("survives hostile objects", () => {
    const throwing = new Proxy(
      {},
      {
        get: () => {
          throw new Error("no")
        },
        getPrototypeOf: () => null,
      },
    )
    expect(describeValue(throwing)).toBe("an object")
    expect(describeValue({ constructor: { name: 5 } })).toBe("an object")
    expect(describeValue({ constructor: null })).toBe("an object")
    expect(describeValue({ constructor: { name: "secret ".repeat(50) } })).toBe("an object")
  })
})

/** Keys as providers, clouds and services write them, and as they quote them in their codes. */
const KEYS = [
  "sk-proj-0123456789",
  "key_sk-proj-0123456789",
  "invalid.sk-ant-api03-x",
  "sk_live_0123",
  "gsk_0123",
  "nvapi-0123",
  "csk-0123",
  "fw_0123",
  "hf_0123",
  "ghp_0123",
  "glpat-0123",
  "pplx-0123",
  "AIzaSyD-0123",
  "AKIAIOSFODNN7EXAMPLE",
  "eyJhbGciOiJIUzI1NiJ9.e30.x",
  "0123456789abcdef0123456789abcdef",
  "code-0123456789abcdef0123456789abcdef",
]
const NO_KEYS = [
  "invalid_api_key",
  "context_length_exceeded",
  "ResponsibleAIPolicyViolation",
  "task_failed",
  "disk-full",
  "risk_control",
  "claude-3-7-sonnet-20250219",
  "ephemeral_1h_input_tokens",
  "cacheCreation1hInputTokens",
  "20261130123456789012345",
  "d41d8cd9-8f00-3204-a980-0998ecf8427e",
]

describe("looksLikeKey", () => {
  it.each(KEYS)("%s", (key) => {
    expect(looksLikeKey(key)).toBe(true)
    expect(describeValue(key)).toBe("a string that looks like an API key")
    expect(describeName(key)).toBe("…")
  })

  it.each(NO_KEYS)("not %s", (name) => {
    expect(looksLikeKey(name)).toBe(false)
    expect(describeName(name)).toBe(name)
  })
})

describe("describeName", () => {
  it.each([
    ["maxTokens", "maxTokens"],
    ["x-p2-user", "x-p2-user"],
    ["a".repeat(70), "a".repeat(60)],
    ["Tell me about my illness", "…"],
    ["sk-proj-0123456789", "…"],
    ["", "…"],
    ["a\nb", "…"],
  ])("of %j is %j", (name, described) => {
    expect(describeName(name)).toBe(described)
  })
})

it("an API key in place of a model's name is hidden after a provider too", () => {
  for (const id of ["openai/sk-proj-0123456789", "groq/gsk_0123456789"]) {
    const error = new UnknownModelError(id, { what: "price", remedy: "Pass one." })
    expect([error.message, error.model].join()).not.toContain("0123")
  }
  expect(new UnknownModelError("x/pplx-decider", { what: "price", remedy: "" }).model).toBe("x/pplx-decider")
})
