import { afterEach, beforeEach, expect, test, vi } from "vitest"
import {
  type BodyEnd,
  type BodyObserver,
  type ReadAheadOptions,
  readAhead,
  withBody,
} from "../../src/transport/read-ahead"

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (chunks: Uint8Array[]) => new TextDecoder().decode(Buffer.concat(chunks))

/** A body that a test fills. */
function openUpstream() {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  const upstream = { pulls: 0, cancelled: undefined as unknown }
  const stream = new ReadableStream<Uint8Array>(
    {
      start(opened) {
        controller = opened
      },
      pull() {
        upstream.pulls++
      },
      cancel(reason) {
        upstream.cancelled = reason
      },
    },
    { highWaterMark: 0 },
  )
  return Object.assign(upstream, { stream, send: (chunk: string) => controller.enqueue(bytes(chunk)), controller })
}

const passOn: BodyObserver = { add: (chunk) => chunk, end: () => new Uint8Array(0) }

function open(options: Partial<ReadAheadOptions> = {}) {
  const upstream = openUpstream()
  const ahead = readAhead(upstream.stream, { observer: passOn, bodyIdleMs: 1_000, ...options })
  return { upstream, ...ahead, reader: ahead.body.getReader() }
}

/** Lets pending reads and writes finish. */
const settle = () => vi.advanceTimersByTimeAsync(0)

async function endOf(end: Promise<BodyEnd>): Promise<BodyEnd | "open"> {
  await settle()
  return Promise.race([end, Promise.resolve("open" as const)])
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test("the reader gets the same bytes, and the observer has seen them before", async () => {
  const seen: string[] = []
  const observer: BodyObserver = {
    add(chunk) {
      seen.push(text([chunk]))
      return chunk
    },
    end: () => bytes("!"),
  }
  const { upstream, reader, end } = open({ observer })
  upstream.send("one")
  await settle()
  expect(seen).toEqual(["one"])
  expect(text([(await reader.read()).value!])).toBe("one")
  upstream.send("two")
  upstream.send("three")
  upstream.controller.close()
  expect(await end).toEqual({ status: "ended" })
  expect(text([(await reader.read()).value!])).toBe("twothree!")
  expect(await reader.read()).toEqual({ done: true, value: undefined })
})

test("a body that nobody reads is observed to its end", async () => {
  const { upstream, end } = open()
  upstream.send("one")
  upstream.controller.close()
  expect(await endOf(end)).toEqual({ status: "ended" })
})

test("no more than the limit is read ahead, and reading goes on when the reader does", async () => {
  const { upstream, reader } = open({ maxBytesAhead: 10 })
  for (let count = 0; count < 3; count++) {
    upstream.send("12345")
    await settle()
  }
  expect(upstream.pulls).toBeLessThanOrEqual(3)
  const before = upstream.pulls
  await settle()
  expect(upstream.pulls).toBe(before)
  expect(text([(await reader.read()).value!])).toBe("1234512345")
  await settle()
  expect(text([(await reader.read()).value!])).toBe("12345")
  expect(upstream.pulls).toBeGreaterThan(before)
})

test("a reader who cancels also cancels the upstream", async () => {
  const { upstream, reader, end } = open()
  await reader.cancel("enough")
  expect(await end).toEqual({ status: "cancelled", reason: "enough" })
  expect(upstream.cancelled).toBe("enough")
})

test("the signal ends the body, also for an upstream that ignores it, and when it fired before", async () => {
  const controller = new AbortController()
  const { upstream, reader, end } = open({ signal: controller.signal })
  const reading = reader.read().catch((error: unknown) => error)
  controller.abort("stopped")
  expect(await reading).toBe("stopped")
  expect(await end).toEqual({ status: "cancelled", reason: "stopped" })
  expect(upstream.cancelled).toBe("stopped")
  const late = open({ signal: controller.signal })
  expect(await late.end).toMatchObject({ status: "cancelled" })
  await expect(late.reader.read()).rejects.toBe("stopped")
})

test("a body that is not read for bodyIdleMs ends; the time that the reader waits does not count", async () => {
  const { upstream, reader, end } = open({ bodyIdleMs: 1_000 })
  const reading = reader.read()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await endOf(end)).toBe("open")
  upstream.send("one")
  await reading
  await vi.advanceTimersByTimeAsync(999)
  expect(await endOf(end)).toBe("open")
  await vi.advanceTimersByTimeAsync(1)
  expect(await end).toEqual({ status: "idle" })
  expect(upstream.cancelled).toMatchObject({ code: "body-idle" })
  await expect(reader.read()).rejects.toMatchObject({ code: "body-idle", kind: "failed" })
  expect(vi.getTimerCount()).toBe(0)
})

test("a connection that closes early fails after what had arrived", async () => {
  const { upstream, reader, end } = open()
  upstream.send("one")
  await settle()
  upstream.controller.error(new Error("closed"))
  expect(await end).toMatchObject({ status: "failed", error: { message: "closed" } })
  expect(text([(await reader.read()).value!])).toBe("one")
  await expect(reader.read()).rejects.toThrow("closed")
})

test("the reader sees the end when onEnd has resolved", async () => {
  let settled!: () => void
  const settlement = new Promise<void>((resolve) => {
    settled = resolve
  })
  const ends: BodyEnd[] = []
  const onEnd = (end: BodyEnd) => {
    ends.push(end)
    return settlement
  }
  const { upstream, reader } = open({ onEnd })
  let isDone = false
  const reading = reader.read().then(() => {
    isDone = true
  })
  upstream.controller.close()
  await settle()
  expect(ends).toEqual([{ status: "ended" }])
  expect(isDone).toBe(false)
  settled()
  await reading
  expect(isDone).toBe(true)
})

test("reads into a buffer of the reader's own work", async () => {
  const upstream = openUpstream()
  const { body } = readAhead(upstream.stream, { observer: passOn, bodyIdleMs: 1_000 })
  const reader = body.getReader({ mode: "byob" }) as unknown as ReadableStreamBYOBReader
  upstream.send("hello")
  const { value } = await reader.read(new Uint8Array(3))
  expect(text([value as Uint8Array])).toBe("hel")
  upstream.controller.close()
  expect(text([(await reader.read(new Uint8Array(8))).value as Uint8Array])).toBe("lo")
  expect((await reader.read(new Uint8Array(8))).done).toBe(true)
})

test("withBody() drops the headers that describe the encoded body, and keeps url and status", async () => {
  const headers = { "content-encoding": "gzip", "content-length": "20", "x-request-id": "1" }
  const original = new Response("decoded", { status: 201, statusText: "Created", headers })
  Object.defineProperty(original, "url", { value: "https://api.example.com/v1" })
  const copy = withBody(original, new Response("other").body)
  expect(Object.fromEntries(copy.headers)).toEqual({ "x-request-id": "1", "content-type": "text/plain;charset=UTF-8" })
  expect(copy).toMatchObject({ status: 201, statusText: "Created", url: "https://api.example.com/v1", ok: true })
  expect(await copy.text()).toBe("other")
})
