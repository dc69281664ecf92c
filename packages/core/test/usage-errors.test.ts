import { expect, it } from "vitest"
import { z } from "zod"
import {
  addUsage,
  compileAnswer,
  formatUsd,
  InvalidRequestError,
  jsonSchema,
  MessageBuilder,
  parseModelId,
  Request,
  toYaml,
  usd,
} from "../src/index"

/** Common usage errors, with the message that each must have. */
const USAGE_ERRORS: [title: string, action: () => unknown, message: string][] = [
  ["snake case", () => request({ max_budget: 5 }), "max_budget: unknown option. Did you mean `maxBudget`?"],
  ["a currency sign behind", () => request({ maxBudget: "5$" }), 'such as 5 or "5.00", got "5$"'],
  ["a thousands separator", () => usd("1,000"), 'such as 5 or "5.00", got "1,000"'],
  ["a negative budget", () => request({ maxBudget: -1 }), "maxBudget: expected a dollar amount of at least 0, got -1"],
  ["dollars in place of nano-USD", () => formatUsd(0.05), 'such as usd("0.05")'],
  ["seconds", () => request({ timeout: 30 }), "Did you mean `timeoutMs`, in milliseconds?"],
  ["an empty id", () => request({ userId: "" }), 'userId: expected a string of 1 to 200 characters, got ""'],
  ["a budget without an id", () => request({ userBudget: 5 }), "userId: expected an id, because `userBudget` is set"],
  ["an unknown period", () => request({ userId: "u", userBudget: { limit: 1, per: "daily" } }), '"day", "week"'],
  ["another name of a limit", () => request({ userId: "u", userBudget: { amount: 1 } }), "Did you mean `limit`?"],
  ["a string for a number", () => request({ temperature: "0.7" }), 'expected a number from 0 to 2, got "0.7"'],
  ["a string for messages", () => request({ messages: "hi" }), 'role: "user", content: "Hello" }], got a string'],
  ["a role with a typo", () => request({ messages: [{ role: "usr", content: "hi" }] }), 'got "usr"'],
  ["a JSON Schema", () => request({ answerModel: { type: "object" } }), "expected a Zod 4 schema"],
  [
    "a function in the answer",
    () => compileAnswer(z.object({ f: z.function() } as never)),
    "z.function() at `answer.f`",
  ],
  ["a space in a model id", () => parseModelId("openai/gpt 4o"), 'got "openai/gpt 4o"'],
  ["a key for a model", () => parseModelId("sk-proj-0123456789"), "got a string that looks like an API key"],
  ["a promise of options", () => new Request(Promise.resolve({}) as never), "a promise (is an `await` missing?)"],
  ["a promise of changes", () => request({}).with(Promise.resolve({}) as never), "(is an `await` missing?)"],
  ["a string of changes", () => request({}).with("x" as never), "Invalid `changes`: expected an object of options"],
  ["a model id alone", () => new Request("gpt-4o" as never), "options: expected an object with a `model`"],
  ["a promise of content", () => messages().addMessageUser(Promise.resolve("x")), "(is an `await` missing?)"],
  ["a promise in content", () => messages().addMessageUser({ rows: Promise.resolve([]) }), "(is an `await` missing?)"],
  [
    "a promise of YAML",
    () => toYaml(Promise.resolve({ a: 1 })),
    "expected plain data, got a promise (is an `await` missing?)",
  ],
  ["a promise in YAML", () => toYaml({ rows: [Promise.resolve(1)] }), "(is an `await` missing?)"],
  ["a Zod schema in jsonSchema()", () => jsonSchema(z.object({}) as never), "as it is: `answerModel: schema`"],
  ["a path of an image", () => messages().addMessageImage("./photo.png"), "such as `await readFile(path)`"],
  ["a path of a file", () => messages().addMessageFile("/tmp/a.pdf"), "such as `await readFile(path)`"],
  ["a file without its type", () => messages().addMessageFile(new Uint8Array(3)), "Invalid `mediaType`"],
  ["mimeType", () => messages().addMessageFile(new Uint8Array(3), { mimeType: "a/b" } as never), "`mediaType`?"],
  ["no id of a tool call", () => messages().addToolResult(undefined as never, "x"), "Invalid `toolCallId`"],
  ["raw usage", () => addUsage({ prompt_tokens: 5, completion_tokens: 5 } as never), "Did you mean `inputTokens`?"],
  ["an array of usages", () => addUsage([] as never), "Invalid `usages[0]`: expected an object"],
  ["no usage", () => addUsage(undefined as never), "Invalid `usages[0]`: expected an object, got undefined"],
  ["half a usage", () => addUsage({ inputTokens: 5 } as never), "Invalid `usages[0].outputTokens`"],
  ["a fraction of a token", () => addUsage({ inputTokens: 0.5, outputTokens: 1 }), "expected an integer of at least 0"],
]

function request(options: object): Request {
  return new Request({ model: "gpt-4o-mini", ...options })
}

function messages(): MessageBuilder {
  return new MessageBuilder()
}

it.each(USAGE_ERRORS)("%s", (_, action, message) => {
  expect(action).toThrow(expect.objectContaining({ kind: "usage", message: expect.stringContaining(message) }))
})

it("rejects an API key as the model of a request, without showing it", () => {
  expect(() => request({ model: "sk-proj-0123456789" })).toThrow(InvalidRequestError)
  expect(() => request({ model: "sk-proj-0123456789" })).toThrow(/^(?!.*0123)/)
})
