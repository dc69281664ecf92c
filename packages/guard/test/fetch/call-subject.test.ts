import { describe, expect, it } from "vitest"
import { takeSubject } from "../../src/fetch/scope/call-subject"

describe("takeSubject", () => {
  it("reads the subject, and removes its headers", () => {
    const given = new Headers({
      "x-p2-user": "ada",
      "x-p2-client": encodeURIComponent("Zürich, 東京"),
      "x-p2-request": "r1",
      "x-p2-tags": "team=search, env=a%3Db%2Cc",
      authorization: "Bearer key",
    })
    const { subject, headers } = takeSubject(given)
    expect(subject).toEqual({
      userId: "ada",
      clientId: "Zürich, 東京",
      requestId: "r1",
      tags: { team: "search", env: "a=b,c" },
    })
    expect([...headers]).toEqual([["authorization", "Bearer key"]])
    expect(given.has("x-p2-user")).toBe(true)
  })

  it("has no subject without headers", () => {
    const headers = new Headers({ a: "1" })
    expect(takeSubject(headers)).toEqual({ subject: undefined, headers })
  })

  it.each([
    ["x-p2-usr", "ada", "Invalid header `x-p2-usr`: expected one of x-p2-user, x-p2-client, x-p2-request, x-p2-tags."],
    ["x-p2-user", "100%", "Invalid header `x-p2-user`: expected a percent-encoded value."],
    ["x-p2-tags", "team", "Invalid header `x-p2-tags`: expected pairs such as team=search,env=production."],
  ])("rejects %s: %s", (name, value, message) => {
    expect(() => takeSubject(new Headers({ [name]: value }))).toThrow(message)
  })
})
