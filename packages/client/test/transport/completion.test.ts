import { expect, test } from "vitest"
import { Completion } from "../../src/transport/completion"

function chunks(...bodies: unknown[]): { completion: Completion; content: boolean[] } {
  const completion = new Completion()
  return { completion, content: bodies.map((body) => completion.add(body)) }
}
const delta = (value: object, more: object = {}) => ({ choices: [{ index: 0, delta: value, ...more }] })

test("text grows; roles, empty chunks and usage are not content", () => {
  const { completion, content } = chunks(
    { id: "gen-1", model: "m", ...delta({ role: "assistant", content: "" }) },
    delta({ content: "He" }),
    delta({ content: "llo" }),
    delta({}, { finish_reason: "stop" }),
    { choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } },
  )
  expect(content).toEqual([false, true, true, false, false])
  expect(completion).toMatchObject({
    text: "Hello",
    generationId: "gen-1",
    model: "m",
    finishReason: "stop",
    complete: true,
  })
  expect(completion.usage?.usage).toMatchObject({ inputTokens: 3, outputTokens: 2 })
})

test("the arguments of the forced tool call are the answer, not the content beside them", () => {
  const call = (text: string) => delta({ tool_calls: [{ index: 0, function: { arguments: text } }] })
  const { completion } = chunks(delta({ content: "Let me see." }), call('{"a"'), call(":1}"))
  expect(completion.text).toBe('{"a":1}')
})

test("reasoning is content for the deadlines and not part of the answer", () => {
  const { completion, content } = chunks(
    delta({ reasoning: "hm" }),
    delta({ reasoning_content: "hm" }),
    delta({ content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }] }),
    delta({ content: "42" }),
  )
  expect(content).toEqual([true, true, true, true])
  expect(completion.text).toBe("42")
})

test("reads refusals, content parts, inner errors, and the usage in Groq's own field", () => {
  expect(chunks(delta({ refusal: "No" }), delta({ refusal: "." })).completion.refusal).toBe("No.")
  expect(
    chunks({
      choices: [
        {
          message: {
            content: [
              { type: "text", text: "a" },
              { type: "text", text: "b" },
            ],
          },
        },
      ],
    }).completion.text,
  ).toBe("ab")
  expect(chunks({ error: "busy", code: 7 }).completion.error).toEqual({ message: "busy", code: 7 })
  expect(chunks({ error: { code: 502 } }).completion.error).toEqual({ code: 502 })
  expect(chunks({ choices: [{ index: 0, error: { code: 400 }, delta: {} }] }).completion.error).toEqual({ code: 400 })
  expect(
    chunks({ ...delta({}, { finish_reason: "stop" }), x_groq: { usage: { prompt_tokens: 1, completion_tokens: 1 } } })
      .completion.usage,
  ).toBeDefined()
})

test("a malformed body is marked and does not throw", () => {
  for (const body of [null, 3, "text", [1]]) expect(chunks(body).completion.malformed).toBe(true)
  const odd = chunks({ id: 3, model: {}, choices: [null, { index: 0, delta: { content: 7, tool_calls: [3] } }] })
  expect(odd.completion.text).toBe("")
})
