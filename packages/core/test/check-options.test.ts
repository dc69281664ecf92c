import { describe, expect, it } from "vitest"
import { checkOptions, InvalidArgumentError, Request } from "../src/index"
import { SYNONYMS } from "../src/options/option-synonyms"
import { REQUEST_ADVICE } from "../src/request/request-advice"

const names = new Set(["per", "timeZone"])

function messageOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError)
    return (error as Error).message
  }
  return "nothing was thrown"
}

describe("checkOptions", () => {
  it("accepts known options, undefined ones included", () => {
    expect(() => checkOptions({ per: "day", timeZone: undefined }, names, "limits[0]")).not.toThrow()
    expect(() => checkOptions({}, names)).not.toThrow()
  })

  it("names an unknown option by its path, with the nearest known one", () => {
    expect(messageOf(() => checkOptions({ timezone: "UTC" }, names, "limits[0]"))).toBe(
      "Unknown option `limits[0].timezone`. Did you mean `timeZone`?",
    )
    expect(messageOf(() => checkOptions({ timezone: "UTC" }, names))).toBe(
      "Unknown option `timezone`. Did you mean `timeZone`?",
    )
  })

  it("lists the known options if none is near and they are few", () => {
    expect(messageOf(() => checkOptions({ qqqqqqqqqqqq: 1 }, names))).toBe(
      "Unknown option `qqqqqqqqqqqq`. Known options: `per`, `timeZone`.",
    )
    const many = new Set(Array.from({ length: 13 }, (_, index) => `option${index}`))
    expect(messageOf(() => checkOptions({ qqqqqqqqqqqq: 1 }, many))).toBe("Unknown option `qqqqqqqqqqqq`.")
  })

  it("prefers the caller's advice", () => {
    const advice = { zoneName: "Write an IANA name in `timeZone`." }
    expect(messageOf(() => checkOptions({ zone_name: 1 }, names, "options", advice))).toBe(
      "Unknown option `zone_name`. Write an IANA name in `timeZone`.",
    )
  })

  it("does not show the value of an unknown option, however short", () => {
    for (const value of ["sk-0123", `http://me:0123@localhost/${"v1".repeat(20)}`])
      expect(messageOf(() => checkOptions({ zome: value }, names))).toMatch(
        /^(?!.*(sk-|http|0123))Unknown option `zome`/,
      )
  })

  it("cuts a long name", () => {
    expect(messageOf(() => checkOptions({ ["x".repeat(100_000)]: 1 }, names)).length).toBeLessThan(200)
  })

  it.each([
    [null, "null"],
    [undefined, "undefined"],
    [5, "5"],
    ["day", '"day"'],
    [[], "an array of 0"],
    [() => 1, "a function"],
    [Promise.resolve({}), "a promise (is an `await` missing?)"],
  ])("rejects %o, which is not an object of options", (value, shown) => {
    expect(messageOf(() => checkOptions(value, names))).toBe(`Invalid \`options\`: expected an object, got ${shown}.`)
    expect(messageOf(() => checkOptions(value, names, "limits[0]"))).toContain(
      "Invalid `limits[0]`: expected an object",
    )
  })
})

describe("the suggestion for an unknown option", () => {
  const requestNames = ["model", "answerModel", "messages", "temperature", "topP", "stop", "maxTokens", "maxBudget"]
  const boundNames = ["inputTokens", "maxOutputTokens", "choices", "webSearches", "serviceTier", "at"]
  const usageNames = ["inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens"]
  const limitNames = ["scope", "limit", "per", "timeZone", "alertAt"]
  const reserveNames = ["subject", "amount", "idempotencyKey", "leaseMs", "wait", "signal"]
  const clientNames = ["store", "budget", "openai", "baseURL", "apiKey", "prices", "logger", "now"]

  it.each([
    [requestNames, "max_tokens", "maxTokens"],
    [requestNames, "maxOutputTokens", "maxTokens"],
    [requestNames, "max_completion_tokens", "maxTokens"],
    [requestNames, "response_format", "answerModel"],
    [requestNames, "responseModel", "answerModel"],
    [requestNames, "schema", "answerModel"],
    [requestNames, "max_budget", "maxBudget"],
    [requestNames, "maxCost", "maxBudget"],
    [requestNames, "stop_sequences", "stop"],
    [requestNames, "modle", "model"],
    [requestNames, "temprature", "temperature"],
    [requestNames, "history", "messages"],
    [boundNames, "maxTokens", "maxOutputTokens"],
    [boundNames, "outputTokens", "maxOutputTokens"],
    [boundNames, "promptTokens", "inputTokens"],
    [boundNames, "n", "choices"],
    [boundNames, "searches", "webSearches"],
    [boundNames, "service_tier", "serviceTier"],
    [usageNames, "prompt_tokens", "inputTokens"],
    [usageNames, "completion_tokens", "outputTokens"],
    [usageNames, "cached_tokens", "cacheReadTokens"],
    [usageNames, "cache_creation_input_tokens", "cacheWriteTokens"],
    [usageNames, "thoughtsTokenCount", "reasoningTokens"],
    [limitNames, "window", "per"],
    [limitNames, "tz", "timeZone"],
    [limitNames, "budget", "limit"],
    [limitNames, "max", "limit"],
    [limitNames, "limti", "limit"],
    [limitNames, "alerts", "alertAt"],
    [reserveNames, "id", "idempotencyKey"],
    [reserveNames, "ttlMs", "leaseMs"],
    [reserveNames, "usd", "amount"],
    [clientNames, "baseUrl", "baseURL"],
    [clientNames, "endpoint", "baseURL"],
    [clientNames, "clock", "now"],
    [clientNames, "database", "store"],
  ])("of %j for `%s` is `%s`", (known, name, meant) => {
    expect(messageOf(() => checkOptions({ [name]: 1 }, new Set(known)))).toBe(
      `Unknown option \`${name}\`. Did you mean \`${meant}\`?`,
    )
  })

  it.each([
    [requestNames, "topK"],
    [requestNames, "tools"],
    [requestNames, "prompt"],
    [limitNames, "user"],
    [reserveNames, "model"],
  ])("is not one of %j for `%s`, which has another meaning", (known, name) => {
    // `topP` differs from `topK` by one letter but is another setting: Request has its own advice for it.
    if (name === "topK") known = known.filter((other) => other !== "topP")
    expect(messageOf(() => checkOptions({ [name]: 1 }, new Set(known)))).not.toContain("Did you mean")
  })
})

describe("every synonym", () => {
  const pairs = SYNONYMS.flatMap(([meant = "", ...others]) => others.map((other) => [other, meant] as const))
  it.each(pairs)("`%s` suggests `%s` where that is the option", (other, meant) => {
    for (const spelling of [other, other.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)])
      expect(messageOf(() => checkOptions({ [spelling]: 1 }, new Set(["unrelated", meant])))).toBe(
        `Unknown option \`${spelling}\`. Did you mean \`${meant}\`?`,
      )
  })
})

describe("the advice for an unknown option of a request", () => {
  it.each(Object.entries(REQUEST_ADVICE))("`%s`: %s", (name, advice) => {
    expect(() => new Request({ model: "m", [name]: "x" } as never)).toThrow(`- ${name}: unknown option. ${advice}`)
    // Every suggested name exists.
    for (const [, suggested = ""] of advice.matchAll(/Did you mean `(\w+)`, (?:for|in)/g))
      expect(() => new Request({ model: "m", [suggested]: 1 })).not.toThrow()
  })

  it.each([
    ["tools", "It is an option of `LLMClient`"],
    ["tool_choice", "It is an option of `LLMClient`"],
    ["functions", "Write `tools`, an option of `LLMClient`"],
    ["prompt", 'Write `messages: [{ role: "user", content: "…" }]`.'],
    ["input", 'Write `messages: [{ role: "user", content: "…" }]`.'],
    ["systemPrompt", "Did you mean `system`?"],
    ["topK", "Write it in `extraBody`"],
    ["logit_bias", "Write it in `extraBody`"],
    ["n", "Send one request per answer."],
    ["timeout", "Did you mean `timeoutMs`, in milliseconds?"],
    ["max_completion_tokens", "Did you mean `maxTokens`?"],
    ["maxRetries", "Did you mean `retries`?"],
    ["response_format", "Did you mean `answerModel`?"],
    ["provider", "Write it in front of the model id"],
    ["budget", "Did you mean `maxBudget`, for this request, or `userBudget`"],
    ["user", "Did you mean `userId`?"],
    ["apiKey", "It is an option of `LLMClient`"],
    ["base_url", "It is an option of `LLMClient`"],
    ["signal", "It is an option of the call"],
    ["store", "It is an option of `LLMClient`"],
  ])("`%s`: %s", (name, advice) => {
    expect(() => new Request({ model: "m", [name]: "x" } as never)).toThrow(`- ${name}: unknown option. ${advice}`)
  })

  it("covers the fields of a budget", () => {
    const request = (budget: object) => () => new Request({ model: "m", userId: "u", userBudget: budget as never })
    expect(request({ limit: 1, window: "day" })).toThrow("- userBudget.window: unknown option. Did you mean `per`?")
    expect(request({ limit: 1, timezone: "UTC" })).toThrow("unknown option. Did you mean `timeZone`?")
    expect(request({ limit: 1, color: 1 })).toThrow(
      "unknown option. Known options: `limit`, `per`, `timeZone`, `start`, `alertAt`, `carryOver`.",
    )
  })
})
