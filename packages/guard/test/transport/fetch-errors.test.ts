import { expect, test } from "vitest"
import { isRejectedByFetch } from "../../src/transport/fetch-errors"
import { watchSend } from "../../src/transport/send-watch"

const URL_AND_HEADERS: [string, RequestInit?][] = [
  ["http://127.0.0.1:9/"],
  ["localhost:8000/v1"],
  ["http://me:secret@127.0.0.1/"],
  ["http://127.0.0.1/", { headers: { authorization: "a\nb" } }],
  ["http://127.0.0.1/", { headers: { authorization: "ключ" } }],
  ["http://127.0.0.1/", { headers: { "a b": "c" } }],
]

const thrownBy = (url: string, init?: RequestInit) => fetch(url, init).catch((error: unknown) => error)

test.each(URL_AND_HEADERS)("%s: what fetch rejects is proven not sent", async (url, init) => {
  const watch = watchSend({ headers: new Headers(), onSecondRequest: () => {} })
  const error = await thrownBy(url, init)
  expect(isRejectedByFetch(error)).toBe(true)
  expect(watch.proof(error)).toBe("not-sent")
  watch.end()
})

test("other errors of fetch are not proof by themselves", async () => {
  const watch = watchSend({ headers: new Headers(), onSecondRequest: () => {} })
  const refused = await thrownBy("http://127.0.0.1:2/")
  const coded = Object.assign(new Error("fetch failed"), { code: "ECONNREFUSED" })
  for (const error of [refused, coded, new Error("terminated"), undefined, "bad port", Object.create(null)]) {
    expect(isRejectedByFetch(error)).toBe(false)
    // No request with this watch's id was reported, so another transport may have sent it.
    expect(watch.proof(error)).toBe("maybe-sent")
  }
  watch.end()
})

test("a cycle of causes ends", () => {
  const error = new Error("loop")
  error.cause = error
  expect(isRejectedByFetch(error)).toBe(false)
})
