import { APIConnectionError, OpenAI } from "openai"
import { expect, test } from "vitest"
import { isRejectedByFetch, provesNotSent } from "../../src/transport/not-sent"

const coded = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more })

test("codes from before a connection prove that nothing was sent, at any depth of causes", () => {
  expect(provesNotSent(new Error("fetch failed", { cause: coded("ECONNREFUSED") }))).toBe(true)
  expect(provesNotSent(new Error("a", { cause: new Error("b", { cause: coded("ENOTFOUND") }) }))).toBe(true)
  expect(provesNotSent(coded("CERT_HAS_EXPIRED"))).toBe(true)
})

test("other errors do not prove it", () => {
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

test("an error of the SDK from before fetch proves it, but not when fetch threw it", async () => {
  const openai = new OpenAI({ apiKey: () => Promise.reject(new Error("The vault is sealed.")), maxRetries: 0 })
  const error = await openai.models.list().catch((thrown: unknown) => thrown)
  expect(provesNotSent(error)).toBe(true)
  expect(provesNotSent(new APIConnectionError({ cause: error as Error }))).toBe(false)
  expect(provesNotSent(Object.create(null))).toBe(false)
})

test("each of several addresses must have failed before the connection", () => {
  const both = [coded("ECONNREFUSED"), coded("ENETUNREACH")]
  expect(provesNotSent({ errors: both })).toBe(true)
  expect(provesNotSent({ errors: [coded("ECONNREFUSED"), coded("ECONNRESET")] })).toBe(false)
})

test("a cycle of causes ends", () => {
  const error = new Error("loop")
  error.cause = error
  expect(provesNotSent(error)).toBe(false)
})

test("recognises the messages of fetch for URLs and headers that it rejects", async () => {
  const thrownBy = (url: string, init?: RequestInit) => fetch(url, init).catch((error: unknown) => error)
  for (const error of [
    await thrownBy("http://127.0.0.1:9/"),
    await thrownBy("localhost:8000/v1"),
    await thrownBy("http://me:secret@127.0.0.1/"),
    await thrownBy("http://127.0.0.1/", { headers: { authorization: "a\nb" } }),
    await thrownBy("http://127.0.0.1/", { headers: { authorization: "ключ" } }),
    await thrownBy("http://127.0.0.1/", { headers: { "a b": "c" } }),
  ])
    expect(isRejectedByFetch(error)).toBe(true)
  for (const error of [await thrownBy("http://127.0.0.1:2/"), new Error("terminated"), undefined, "bad port"])
    expect(isRejectedByFetch(error)).toBe(false)
})
