import type { Message } from "@p2/core"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { countRequestTokens, trimMessages } from "../src/index"

const model = "gpt-4o-mini"
const system: Message = { role: "system", content: "You are terse." }
const user = (content: string): Message => ({ role: "user", content })
const assistant = (content: string): Message => ({ role: "assistant", content })
const call = (...ids: string[]): Message => ({
  role: "assistant",
  content: null,
  tool_calls: ids.map((id) => ({ id, type: "function", function: { name: "look_up", arguments: "{}" } })),
})
const result = (id: string): Message => ({ role: "tool", tool_call_id: id, content: `The result of ${id}.` })
const tokensOf = (messages: readonly Message[]) => countRequestTokens({ model, messages }).tokens
const trim = (messages: readonly Message[], maxTokens: number) => trimMessages(messages, { model, maxTokens })

const turns = [1, 2, 3, 4].flatMap((turn) => [user(`Question ${turn}`), assistant(`Answer ${turn}`)])
const chat = [system, ...turns, user("Question 5")]

describe("trimMessages", () => {
  it("returns a copy of what fits", () => {
    const trimmed = trim(chat, tokensOf(chat))
    expect(trimmed).toEqual(chat)
    expect(trimmed).not.toBe(chat)
  })

  it("drops the oldest turns, never half of one, and keeps the system message", () => {
    const rest = [system, ...turns.slice(4), user("Question 5")]
    expect(trim(chat, tokensOf(chat) - 1)).toEqual([system, ...turns.slice(2), user("Question 5")])
    expect(trim(chat, tokensOf(rest))).toEqual(rest)
    expect(trim(chat, tokensOf(rest) - 1)).toEqual([system, ...turns.slice(6), user("Question 5")])
  })

  it("keeps the system messages and the last question, even if they exceed the limit", () => {
    expect(trim(chat, 1)).toEqual([system, user("Question 5")])
    expect(trim([user("a"), user("b")], 1)).toEqual([user("a"), user("b")])
    expect(trim([], 1)).toEqual([])
  })

  it("keeps what `keep` selects, in its place, with the result of a call that it selects", () => {
    const keep = (_: Message, index: number) => index === 1 || index === 5
    const messages = [
      system,
      user("Once"),
      assistant("Yes"),
      user("Look"),
      call("a"),
      result("a"),
      ...turns,
      user("Now"),
    ]
    expect(trimMessages(messages, { model, maxTokens: 1, keep })).toEqual([
      system,
      user("Once"),
      call("a"),
      result("a"),
      user("Now"),
    ])
  })

  it("never separates a tool call from its results, in an old turn or in the last one", () => {
    const old = [user("Look"), call("a", "b"), result("a"), result("b"), assistant("Found")]
    expect(trim([...old, user("Next")], tokensOf([...old, user("Next")]) - 1)).toEqual([user("Next")])
    const steps = [user("Look"), call("a"), result("a"), call("b", "c"), result("b"), result("c")]
    expect(trim(steps, tokensOf(steps) - 1)).toEqual([user("Look"), ...steps.slice(3)])
    expect(trim(steps, 1)).toEqual([user("Look"), ...steps.slice(3)])
  })

  it("accepts messages of the older function calls", () => {
    const messages: Message[] = [
      user("Look"),
      { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
      { role: "function", name: "f", content: "5" },
      user("Next"),
    ]
    expect(trim(messages, tokensOf(messages) - 1)).toEqual([user("Next")])
  })

  it("never exceeds the limit but for what is always kept, and loses no result, whatever the conversation", () => {
    const block = fc.oneof(
      fc.string().map((text) => [user(text)]),
      fc.string().map((text) => [assistant(text)]),
      fc
        .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 })
        .map((ids) => [call(...ids), ...ids.map(result)]),
      fc.constant([system]),
    )
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), fc.integer({ min: 1, max: 200 }), (blocks, maxTokens) => {
        const messages = blocks.flat()
        const trimmed = trim(messages, maxTokens)
        const least = trim(messages, 1)
        expect(messages.filter((message) => trimmed.includes(message))).toEqual(trimmed)
        expect(least.every((message) => trimmed.includes(message))).toBe(true)
        expect(tokensOf(trimmed)).toBeLessThanOrEqual(Math.max(maxTokens, tokensOf(least)))
        for (const group of blocks)
          expect([0, group.length]).toContain(group.filter((each) => trimmed.includes(each)).length)
      }),
    )
  })

  it("says what is wrong with its options", () => {
    expect(() => trimMessages(chat, { model, maxTokens: 0 })).toThrow(/`maxTokens`/)
    expect(() => trimMessages(chat, { model, max: 5 } as never)).toThrow(/Unknown option `max`/)
    expect(() => trimMessages(chat, { model, maxTokens: 5, keep: 2 as never })).toThrow(/`keep`/)
    expect(() => trimMessages("chat" as never, { model, maxTokens: 5 })).toThrow(/`messages`/)
    expect(() => trimMessages([{ role: "model" } as never], { model, maxTokens: 5 })).toThrow(/`messages\[0\].role`/)
  })
})
