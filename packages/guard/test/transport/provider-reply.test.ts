import { inspect } from "node:util"
import { describe, expect, test } from "vitest"
import { ProviderReply, type ProviderReplyFields, shownIdentifier } from "../../src/transport/provider-reply"

const KEY = "sk-proj-0123456789abcdef"
const PROMPT = "A secret prompt"

const fields = (more: Partial<ProviderReplyFields> = {}): ProviderReplyFields => ({
  status: 401,
  code: "invalid_api_key",
  type: "auth",
  requestID: "req-1",
  providerMessage: `Incorrect key ${KEY} for ${PROMPT}`,
  error: { message: KEY, param: PROMPT, inner: { authorization: `Bearer ${KEY}` } },
  headers: new Headers({ "x-echo": KEY }),
  ...more,
})

/** Every way in which a log may show an error. */
function shownForms(error: Error): string[] {
  return [
    inspect(error, { depth: 20 }),
    inspect({ nested: { error } }, { depth: 20 }),
    JSON.stringify(error),
    JSON.stringify({ ...error }),
    String(error),
    String(error.stack),
  ]
}

test("status, code, type and request id are shown; message, error object and headers are kept, but not shown", () => {
  const reply = new ProviderReply(fields())
  for (const shown of shownForms(new Error("outer", { cause: reply }))) expect(shown).not.toMatch(/sk-|secret/)
  for (const shown of shownForms(reply)) expect(shown).not.toMatch(/sk-|secret/)
  expect(JSON.parse(JSON.stringify(reply))).toEqual({
    status: 401,
    code: "invalid_api_key",
    type: "auth",
    requestID: "req-1",
  })
  expect(reply.providerMessage).toContain(PROMPT)
  expect(reply.error).toMatchObject({ param: PROMPT })
})

describe("a code or type that quotes is dropped", () => {
  test.each([
    KEY,
    PROMPT,
    `invalid key: ${KEY}`,
    "gsk_abcdefghijk",
    "AIzaSyA0123456789",
    `invalid_key_${KEY}`,
    `auth.${KEY}`,
    "AKIAIOSFODNN7EXAMPLE",
    "0123456789abcdef0123456789abcdef",
    "x".repeat(65),
    "a\nb",
    "",
    {},
    null,
  ])("%j", (value) => {
    const reply = new ProviderReply(fields({ code: value as string, type: value as string }))
    expect(reply).toMatchObject({ code: undefined, type: undefined })
    expect(shownIdentifier(value)).toBeUndefined()
  })
})

test("words and numbers are shown", () => {
  for (const word of ["context_length_exceeded", "rate-limit", "v1.2", "RESOURCE_EXHAUSTED"])
    expect(shownIdentifier(word)).toBe(word)
  expect(shownIdentifier(429)).toBe("429")
})
