import { APIConnectionError, OpenAI } from "openai"
import { expect, test } from "vitest"
import { provesNotSent } from "../src/internal/not-sent"

const coded = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more })

test("codes that only exist before a connection prove that nothing was sent, at any depth", () => {
  expect(provesNotSent(new Error("fetch failed", { cause: coded("ECONNREFUSED") }))).toBe(true)
  expect(provesNotSent(new Error("a", { cause: new Error("b", { cause: coded("ENOTFOUND") }) }))).toBe(true)
  expect(provesNotSent(coded("CERT_HAS_EXPIRED"))).toBe(true)
})

test("what may have been sent is not free", () => {
  for (const error of [
    coded("ECONNRESET"),
    coded("UND_ERR_SOCKET"),
    coded("EPIPE"),
    new Error("?"),
    undefined,
    "ECONNREFUSED",
  ])
    expect(provesNotSent(error)).toBe(false)
})

test("an error that the SDK makes before it calls fetch proves it, and not when a fetch threw it", async () => {
  const openai = new OpenAI({ apiKey: () => Promise.reject(new Error("The vault is sealed.")), maxRetries: 0 })
  const error = await openai.models.list().catch((thrown: unknown) => thrown)
  expect(provesNotSent(error)).toBe(true)
  expect(provesNotSent(new APIConnectionError({ cause: error as Error }))).toBe(false)
  expect(provesNotSent(Object.create(null))).toBe(false)
})

test("of several addresses each has to have failed", () => {
  const both = [coded("ECONNREFUSED"), coded("ENETUNREACH")]
  expect(provesNotSent({ errors: both })).toBe(true)
  expect(provesNotSent({ errors: [coded("ECONNREFUSED"), coded("ECONNRESET")] })).toBe(false)
})

test("a chain that bites its tail ends", () => {
  const error = new Error("loop")
  error.cause = error
  expect(provesNotSent(error)).toBe(false)
})
