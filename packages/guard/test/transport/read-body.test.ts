import { expect, test } from "vitest"
import { isEventStream, readTextUpTo } from "../../src/transport/read-body"

test.each([
  ["text/event-stream", false, true],
  ["Text/Event-Stream; Charset=UTF-8", true, true],
  ["application/json", true, false],
  ["text/html", true, false],
  ["text/plain", true, true],
  ["text/plain", false, false],
  [undefined, true, true],
  [undefined, false, false],
])("content type %s, streamed %s: events %s", (type, streamed, expected) => {
  expect(isEventStream(new Headers(type === undefined ? {} : { "content-type": type }), { streamed })).toBe(expected)
})

/** A body of `chunks`, which records whether it was cancelled. */
function bodyOf(chunks: Uint8Array[]) {
  const state = { isCancelled: false }
  const rest = [...chunks]
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const next = rest.shift()
        if (next === undefined) controller.close()
        else controller.enqueue(next)
      },
      cancel() {
        state.isCancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { body, state, rest }
}

test("reads a body with characters cut anywhere", async () => {
  const bytes = new TextEncoder().encode("Grüße, 世界")
  const { body, state } = bodyOf(Array.from(bytes, (byte) => new Uint8Array([byte])))
  expect(await readTextUpTo(body, 1_000)).toBe("Grüße, 世界")
  expect(state.isCancelled).toBe(false)
})

test("stops at the limit and cancels the rest", async () => {
  const { body, state, rest } = bodyOf(Array.from({ length: 10 }, () => new TextEncoder().encode("12345")))
  expect(await readTextUpTo(body, 12)).toBe("123451234512")
  expect(state.isCancelled).toBe(true)
  expect(rest).toHaveLength(7)
})

test("rejects when the body fails", async () => {
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("closed")) })
  await expect(readTextUpTo(body, 10)).rejects.toThrow("closed")
})
