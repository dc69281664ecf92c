import { DONE, eventText, type LocalProvider, startLocalProvider, startMockServer } from "@p2/local-provider"
import { countRequestTokens } from "@p2/tokens"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { TextDelta } from "../src/index"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => provider.faults.clear())
afterAll(() => provider.close())

const sent = () => provider.received.at(-1)?.body as { messages: { role: string; content: string }[] }

describe("a truncated text", () => {
  const cut = { answer: "It was the best of", finishReason: "length" }

  test("is a value with finishReason length, and its turn is kept", async () => {
    provider.faults.next(cut)
    const client = openClient(provider)
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true, answer: cut.answer, finishReason: "length" })
    expect(result.receipt.attempts).toMatchObject([{ status: "succeeded", finishReason: "length" }])
    expect(result.receipt.costNanoUsd).toBe(provider.ledger.calls.at(-1)?.nanoUsd)
    expect(client.msg.getMessages().at(-1)).toEqual({ role: "assistant", content: cut.answer })
    provider.faults.next(cut)
    expect(await client.generateResponse()).toBe(cut.answer)
    provider.faults.next(cut)
    expect(await client.stream().result).toMatchObject({ answer: cut.answer, finishReason: "length" })
    expect(await client.generate()).toMatchObject({ finishReason: "stop" })
  })

  test('is an error with `onTruncated: "error"`, after a longer attempt if `maxTokens` is not set', async () => {
    provider.faults.next(cut)
    const longer = await openClient(provider, { onTruncated: "error" }).generate()
    expect(longer).toMatchObject({ ok: true, finishReason: "stop" })
    expect(longer.receipt.attempts).toMatchObject([{ errorCode: "answer-truncated" }, { reason: "longer" }])
    provider.faults.next(cut)
    const failed = await openClient(provider, { onTruncated: "error", maxTokens: 100 }).generate()
    expect(failed).toMatchObject({ ok: false, error: { code: "answer-truncated", text: cut.answer } })
  })

  test("that has reasoning only, or is structured, stays an error", async () => {
    provider.faults.next({ answer: "<think>It was", finishReason: "length" })
    const options = { maxTokens: 100, onTruncated: "return" as const }
    expect(await openClient(provider, options).generate()).toMatchObject({ error: { code: "answer-truncated" } })
    provider.faults.next({ answer: '{"name":"Da', finishReason: "length" })
    const structured = openClient(provider, { ...options, answerModel: Person })
    expect(await structured.generate()).toMatchObject({ error: { code: "answer-truncated" } })
  })
})

describe("the conversation as it is sent", () => {
  test("begins with `system`, which is counted and which `clear` keeps", async () => {
    const client = openClient(provider, { system: "You are terse." })
    await client.generateResponse()
    expect(sent().messages).toEqual([
      { role: "system", content: "You are terse." },
      { role: "user", content: "Describe who is David Copperfield" },
    ])
    expect(client.msg.getMessages()[0]?.role).toBe("user")
    client.msg.clear().addMessageUser("Again")
    expect(client.countTokens()).toBe(
      countRequestTokens({
        model: "gpt-4o-mini",
        messages: [
          { role: "system", content: "You are terse." },
          { role: "user", content: "Again" },
        ],
      }).tokens,
    )
    await client.generateResponse()
    expect(sent().messages.map(({ role }) => role)).toEqual(["system", "user"])
    client.msg.clear()
    await expect(client.generate()).rejects.toMatchObject({ code: "no-messages" })
  })

  test("has the newest turns that fit `history`, over 40 turns of a chat", async () => {
    const maxTokens = 400
    const client = openClient(provider, { system: "You are terse.", history: { maxTokens }, maxTokens: 60 })
    for (let turn = 1; turn <= 40; turn++) {
      client.msg.addMessageUser(`Question ${turn}: ${"what then? ".repeat(5)}`)
      expect(client.countTokens()).toBeLessThanOrEqual(maxTokens)
      const { receipt } = await client.generate()
      expect(receipt.usage.inputTokens).toBeLessThanOrEqual(maxTokens)
    }
    const { messages } = sent()
    expect(messages[0]).toEqual({ role: "system", content: "You are terse." })
    expect(messages[1]?.role).toBe("user")
    expect(messages.at(-1)?.content).toMatch(/^Question 40/)
    expect(messages.length).toBeGreaterThan(3)
    expect(client.msg.getMessages().length).toBe(81)
  })

  test("includes the whole repair, regardless of `history`", async () => {
    provider.faults.next({ wrongShape: true })
    const client = openClient(provider, { answerModel: Person, history: { maxTokens: 1 } })
    expect(await client.generate()).toMatchObject({ ok: true })
    expect(sent().messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"])
  })
})

describe("the deltas of a text stream", () => {
  test("add up to the text that comes with them", async () => {
    provider.faults.next({ chunkDelayMs: 1 })
    const stream = openClient(provider).stream()
    let text = ""
    let count = 0
    for await (const { delta, text: whole, restarted } of stream.deltas) {
      text += delta
      count++
      expect(whole).toBe(text)
      expect(restarted).toBe(false)
    }
    expect(count).toBeGreaterThan(2)
    expect((await stream.result).answer).toBe(text)
  })

  test("begin again after a retry, which `restarted` says", async () => {
    const server = await startMockServer()
    try {
      const chunk = (content: string, finish_reason: string | null = null) =>
        eventText({ choices: [{ index: 0, delta: { content }, finish_reason }] })
      server.answer(({ sendEvents, response }) => {
        if (server.bodies.length > 1) return sendEvents(chunk("Three"), chunk("", "stop"), DONE)
        response.writeHead(200, { "content-type": "text/event-stream" }).write(chunk("One "))
        setTimeout(() => response.end(chunk("two")), 20)
      })
      const deltas: TextDelta[] = []
      const stream = openClient(server).stream()
      for await (const delta of stream.deltas) deltas.push(delta)
      expect((await stream.result).answer).toBe("Three")
      const last = deltas.findIndex(({ restarted }) => restarted)
      expect(
        deltas
          .slice(0, last)
          .map(({ delta }) => delta)
          .join(""),
      ).toBe("One two")
      expect(
        deltas
          .slice(last)
          .map(({ delta }) => delta)
          .join(""),
      ).toBe("Three")
    } finally {
      await server.close()
    }
  })

  test("have no reasoning, and leaving the loop ends the call", async () => {
    provider.faults.next({ answer: "<think>France, so Paris.</think>\n\nParis it is", chunkDelayMs: 1 })
    const stream = openClient(provider).stream()
    let text = ""
    for await (const { delta } of stream.deltas) text += delta
    expect(text).toBe("Paris it is")
    provider.faults.next({ chunkDelayMs: 20 })
    const left = openClient(provider).stream()
    for await (const { delta } of left.deltas) if (delta !== "") break
    await expect(left.result).rejects.toMatchObject({ code: "aborted" })
    expect(() => left[Symbol.asyncIterator]()).toThrow(/iterated only once/)
  })
})
