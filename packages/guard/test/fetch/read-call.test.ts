import { Readable } from "node:stream"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { readCall } from "../../src/fetch/read-call"

const URL_TEXT = "https://api.example.com/v1/chat/completions?x=1"
const JSON_TEXT = '{"model":"m"}'
const bytes = (text: string) => new TextEncoder().encode(text)

/** What a server would receive. */
async function sentBy(call: Parameters<typeof fetch>): Promise<Request> {
  return new Request(...call)
}

async function readOk(...call: Parameters<typeof readCall>) {
  const read = await readCall(...call)
  if (read.status !== "read") throw new Error(read.message)
  return read
}

function formOf(fields: Record<string, string>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  return form
}

describe("readCall", () => {
  it.each([
    ["a string", JSON_TEXT],
    ["bytes", bytes(JSON_TEXT)],
    ["an array buffer", bytes(JSON_TEXT).buffer],
    ["a view", new DataView(bytes(JSON_TEXT).buffer)],
    ["a blob", new Blob([JSON_TEXT])],
    ["a stream", new Blob([JSON_TEXT]).stream()],
    ["a Node stream", Readable.from([JSON_TEXT.slice(0, 5), JSON_TEXT.slice(5)])],
    [
      "an async iterable",
      (async function* () {
        yield bytes(JSON_TEXT)
      })(),
    ],
  ])("reads JSON in %s, and sends it again", async (_name, body) => {
    const read = await readOk(URL_TEXT, { method: "post", body: body as never, duplex: "half" })
    expect(read.call.body).toEqual({ kind: "json", value: { model: "m" } })
    expect(read.call.method).toBe("POST")
    expect(await (await sentBy(read.argumentsFor({}))).text()).toBe(JSON_TEXT)
    expect(await (await sentBy(read.argumentsFor({ body: "{}" }))).text()).toBe("{}")
  })

  it.each([
    ["parameters", new URLSearchParams({ a: "b" }), /^a=b$/],
    ["text that is no JSON object", "[1]", /^\[1\]$/],
  ])("describes %s as opaque, and sends it as it is", async (_name, body, text) => {
    const read = await readOk(URL_TEXT, { method: "POST", body, headers: { "content-type": "text/x" } })
    expect(read.call.body).toEqual({ kind: "opaque", contentType: "text/x" })
    expect(await (await sentBy(read.argumentsFor({}))).text()).toMatch(text)
  })

  it.each(["as it is", "as bytes", "as a stream"])("describes a form %s, and sends what it described", async (form) => {
    const original = formOf({ model: "m" })
    original.append("image[]", new File(["pixels"], "a.png", { type: "image/png" }))
    const encoded = new Response(original)
    const headers = {
      "content-type": form === "as it is" ? "multipart/form-data" : encoded.headers.get("content-type")!,
    }
    const buffer = await encoded.arrayBuffer()
    const body = { "as it is": original, "as bytes": buffer, "as a stream": new Blob([buffer]).stream() }[form]!
    const read = await readOk(URL_TEXT, { method: "POST", body, headers, duplex: "half" })
    // A later change of the caller's form does not change the call.
    original.set("model", "other")
    expect(read.call.body.kind).toBe("form")
    if (read.call.body.kind === "form")
      expect(read.call.body.fields).toMatchObject({
        model: "m",
        image: [{ name: "a.png", type: "image/png", size: 6, head: new TextEncoder().encode("pixels") }],
      })
    const sent = await (await sentBy(read.argumentsFor({ headers: new Headers(headers) }))).formData()
    expect(sent.get("model")).toBe("m")
    const file = sent.get("image[]") as File
    expect([file.name, file.type, await file.text()]).toEqual(["a.png", "image/png", "pixels"])
  })

  it("describes a damaged form as opaque", async () => {
    const headers = { "content-type": "multipart/form-data; boundary=x" }
    const read = await readOk(URL_TEXT, { method: "POST", body: "--y\r\n", headers })
    expect(read.call.body.kind).toBe("opaque")
  })

  it("describes a compressed body as opaque", async () => {
    const read = await readOk(URL_TEXT, { method: "POST", body: JSON_TEXT, headers: { "content-encoding": "gzip" } })
    expect(read.call.body.kind).toBe("opaque")
  })

  it("describes a call without a body", async () => {
    for (const init of [undefined, { method: "POST" }, { method: "POST", body: "" }])
      expect((await readOk(URL_TEXT, init)).call.body).toEqual({ kind: "none" })
  })

  it("reads a Request, and lets the init override it", async () => {
    const controller = new AbortController()
    const request = new Request(URL_TEXT, {
      method: "POST",
      body: JSON_TEXT,
      headers: { a: "1" },
      signal: controller.signal,
    })
    const read = await readOk(request)
    expect([read.call.url.href, read.call.method, read.call.headers.get("a")]).toEqual([URL_TEXT, "POST", "1"])
    expect(read.call.body.kind).toBe("json")
    controller.abort("why")
    expect(read.signal?.reason).toBe("why")
    const sent = await sentBy(read.argumentsFor({ headers: new Headers({ b: "2" }), body: "{}" }))
    expect([sent.headers.get("a"), sent.headers.get("b"), await sent.text()]).toEqual([null, "2", "{}"])

    const other = await readOk(new Request(URL_TEXT, { headers: { a: "1" } }), { method: "PUT", headers: { c: "3" } })
    expect([other.call.method, other.call.headers.get("a"), other.call.headers.get("c")]).toEqual(["PUT", null, "3"])
  })

  it("reads at most 32 MiB of a body that can be read only once", async () => {
    let pulled = 0
    const endless = new ReadableStream({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(2 ** 20))
      },
    })
    const read = await readCall(URL_TEXT, { method: "POST", body: endless, duplex: "half" })
    expect(read).toMatchObject({ status: "too-large", message: expect.stringContaining("32 MiB") })
    expect(pulled).toBeLessThan(36)
  })

  it("rejects a URL that is not absolute, as fetch does", async () => {
    await expect(readCall("/v1/models")).rejects.toBeInstanceOf(TypeError)
  })

  const KEY = "sk-planted-0123456789"

  it.each<[string, Parameters<typeof readCall>]>([
    ["a URL without a scheme", [`models/m:generateContent?key=${KEY}`]],
    ["a URL with an invalid host", [`https://[::1/?key=${KEY}`]],
    ["a value with a line break", [URL_TEXT, { headers: { authorization: `Bearer ${KEY}\n${KEY}` } }]],
    ["a value that is not Latin-1", [URL_TEXT, { headers: { authorization: `Bearer ${KEY}–` } }]],
    ["a name with a space", [URL_TEXT, { headers: [[`x ${KEY}`, "a"]] }]],
  ])("does not show a key in the error of %s", async (_name, call) => {
    const error = await readCall(...call).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect(inspect(error, { depth: 12, showHidden: true })).not.toContain("planted")
  })
})
