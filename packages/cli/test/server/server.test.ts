import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { Agent } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Limit } from "@p2/budget"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openStore } from "../../src/store/open-store"
import { noonZone } from "../support/noon-zone"
import { CALL, PROMPT, type ServedProvider, sendRaw, serveProvider, UPSTREAM_KEY } from "./served-provider"

const folder = mkdtempSync(join(tmpdir(), "p2-server-"))
const address = `file:${join(folder, "p2.db")}`
let served: ServedProvider

beforeAll(async () => {
  served = await serveProvider(address, {
    models: ["gpt-4o-mini", "gpt-4.1"],
    hosts: ["p2.example.com"],
  })
})

afterAll(async () => {
  await served.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What the user ada has spent, in nano-USD, by the ledger. */
async function spentBy(userId: string): Promise<number> {
  const store = await openStore(address)
  const [row] = await store.budget.usage.totals({ filter: { userId } })
  await store.close()
  return row?.costNanoUsd ?? 0
}

describe("a call with a virtual key", () => {
  it("reaches the provider with the provider's key, and is charged to the owner of the key", async () => {
    const { key, record } = await served.addKey({ userId: "eve", tags: { team: "search" } })
    const before = served.provider.ledger.totalNanoUsd
    const { status, headers } = await served.call(key)
    expect(status).toBe(200)
    expect(Number(headers["x-p2-cost-usd"])).toBeGreaterThan(0)
    expect(await spentBy("eve")).toBe(served.provider.ledger.totalNanoUsd - before)
    const attempt = served.lines.map((line) => JSON.parse(line)).findLast(({ event }) => event === "attempt")
    expect(attempt).toMatchObject({ user: "eve", key: record.id, tags: { team: "search" }, model: "gpt-4o-mini" })
    expect(attempt).toMatchObject({ status: "succeeded", costNanoUsd: await spentBy("eve") })
  })

  it("cannot name another subject", async () => {
    const { key } = await served.addKey({ userId: "mallory" })
    await served.call(key, { headers: { "x-p2-user": "bob", "x-p2-tags": "team=search" } })
    expect(await spentBy("bob")).toBe(0)
    expect(await spentBy("mallory")).toBeGreaterThan(0)
  })

  it("must fit the limits of the key and those of the configuration", async () => {
    const limits = [{ limit: "0.0001", per: "day" as const, timeZone: noonZone() }]
    const [small, other] = [await served.addKey({ userId: "zoe", limits }), await served.addKey({ userId: "zoe" })]
    const results = [await served.call(small.key), await served.call(small.key), await served.call(small.key)]
    const denied = results.find(({ status }) => status === 402)!
    expect(results[0]!.status).toBe(200)
    expect(denied.text).toContain('Budget exceeded (tag \\"key\\", day)')
    expect((await served.call(other.key)).status).toBe(200)
  })

  it("may name the models that both the key and the configuration allow", async () => {
    const { key } = await served.addKey({ models: ["gpt-4o-mini", "gpt-4o"] })
    const callTo = (model: string) => served.call(key, { body: { ...CALL, model } })
    expect((await callTo("gpt-4o-mini")).status).toBe(200)
    expect((await callTo("gpt-4o")).status).toBe(403)
    expect((await callTo("gpt-4.1")).status).toBe(403)
  })

  it("is read from wherever an SDK puts its key", async () => {
    const { key } = await served.addKey()
    expect((await served.call(undefined, { headers: { "x-api-key": key } })).status).toBe(200)
  })
})

describe("rejects", () => {
  let sentBefore: number
  beforeAll(() => {
    sentBefore = served.provider.ledger.calls.length
  })

  it.each(["", "local", UPSTREAM_KEY, `p2k_${"A".repeat(43)}`])(
    "a call without a key of this server: %s",
    async (key) => {
      const { status, text } = await served.call(key === "" ? undefined : key)
      expect(status).toBe(401)
      expect(text).toContain("invalid_token")
      if (key !== "") expect(text).not.toContain(key)
    },
  )

  it("a key that expired", async () => {
    const { key } = await served.addKey({ expiresAt: Date.now() - 1 })
    expect((await served.call(key)).status).toBe(401)
  })

  it("a key that was revoked elsewhere, while it is in use", async () => {
    sentBefore++
    const { key, record } = await served.addKey()
    expect((await served.call(key, { body: { ...CALL, max_tokens: 1 } })).status).toBe(200)
    await served.keys.revoke(record.id, Date.now())
    let last = 200
    for (let round = 0; round < 100 && last === 200; round++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      last = (await served.call(key, { method: "GET", path: "/openai/v1/models" })).status
    }
    expect(last).toBe(401)
  })

  it("another origin, and another host", async () => {
    const { key } = await served.addKey()
    expect((await served.call(key, { headers: { origin: "https://evil.test" } })).status).toBe(403)
    for (const host of ["evil.test", "evil.test:80", "127.0.0.1:1"])
      expect((await served.call(key, { headers: { host } })).text).toContain("host_not_allowed")
  })

  it("a body above 32 MiB", async () => {
    const { key } = await served.addKey()
    const body = JSON.stringify({ ...CALL, messages: [{ role: "user", content: "x".repeat(33 * 2 ** 20) }] })
    const outcome = await served.call(key, { body }).then(
      ({ status }) => status,
      (error: NodeJS.ErrnoException) => error.code,
    )
    // The server answers and closes before the body has arrived.
    expect([413, "EPIPE", "ECONNRESET"]).toContain(outcome)
  })

  it("headers that are too slow", async () => {
    const hasty = await serveProvider("memory:", { anonymous: {}, requestTimeout: "1s" })
    try {
      const start = "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: 127.0"
      expect(await sendRaw(hasty.server.url, start)).toContain("408")
    } finally {
      await hasty.close()
    }
  })

  it("headers that are too large", async () => {
    const large = `GET /openai/v1/models HTTP/1.1\r\nhost: ${new URL(served.server.url).host}\r\nx: ${"y".repeat(17_000)}\r\n\r\n`
    expect(await sendRaw(served.server.url, large)).toContain("431")
  })

  it.each([
    ["two lengths", "content-length: 2\r\ncontent-length: 30\r\n\r\n{}"],
    ["a length and chunks", "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["an unknown encoding", "transfer-encoding: xchunked\r\n\r\n{}"],
    ["a folded header", "x-one: a\r\n b\r\ncontent-length: 2\r\n\r\n{}"],
    ["a header with a space before its colon", "content-length : 2\r\n\r\n{}"],
    ["a bare line feed in a chunk", "transfer-encoding: chunked\r\n\r\n1\n{\r\n0\r\n\r\n"],
  ])("a request that can be read in two ways: %s", async (_name, rest) => {
    const { key } = await served.addKey()
    const { host } = new URL(served.server.url)
    const head = `POST /openai/v1/chat/completions HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n`
    const smuggled = `POST /openai/v1/chat/completions HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\n\r\n`
    const answer = await sendRaw(served.server.url, `${head}${rest}${smuggled}`)
    expect(answer).toMatch(/^(HTTP\/1\.1 4\d\d|$)/)
    expect(answer.match(/HTTP\/1\.1/g) ?? []).toHaveLength(answer === "" ? 0 : 1)
  })

  it("an absolute target, and a tunnel", async () => {
    const { key } = await served.addKey()
    const rest = `HTTP/1.1\r\nhost: evil.test\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n\r\n`
    expect(await sendRaw(served.server.url, `GET http://evil.test/v1/models ${rest}`)).toMatch(/^HTTP\/1\.1 4/)
    expect(await sendRaw(served.server.url, `CONNECT evil.test:443 ${rest}`)).not.toMatch(/^HTTP\/1\.1 2/)
  })

  it.each(["GET /files", "POST /files", "GET /responses/resp_1", "DELETE /responses/resp_1", "POST /batches"])(
    "what belongs to the account of the provider: %s",
    async (line) => {
      const { key } = await served.addKey()
      const [method, path] = line.split(" ") as [string, string]
      const { status, text } = await served.call(key, { method, path: `/openai/v1${path}` })
      expect([status, text]).toEqual([403, expect.stringContaining("accountPaths")])
    },
  )

  it("paths that only look like calls of models", async () => {
    const { key } = await served.addKey()
    const { host } = new URL(served.server.url)
    const rest = `HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n\r\n`
    for (const path of [
      "models/../files",
      "models/%2e%2e/files",
      "files/.//../../v1/files",
      "files?/models",
      "files#/models",
    ])
      expect(await sendRaw(served.server.url, `GET /openai/v1/${path} ${rest}`), path).toMatch(/^HTTP\/1\.1 4/)
  })

  it("all of them before anything is sent", () => {
    expect(served.provider.ledger.calls.length).toBe(sentBefore)
  })
})

describe("answers without a key", () => {
  it("whether it is alive and ready, for any host, without data", async () => {
    for (const path of ["/health", "/ready"]) {
      const { status, text } = await served.call(undefined, { method: "GET", path, headers: { host: "10.1.2.3" } })
      expect([status, Object.keys(JSON.parse(text))]).toEqual([200, ["status"]])
    }
    expect((await served.call(undefined, { path: "/health" })).status).toBe(405)
  })

  it("nothing else", async () => {
    for (const path of ["/", "/dashboard", "/openai/v1/models", "/healthz", "/keys"])
      expect((await served.call(undefined, { method: "GET", path })).status).toBe(401)
  })
})

it("charges at its start what a killed process had reserved, once its lease has ended", async () => {
  const file = `file:${join(folder, "killed.db")}`
  const limits: Limit[] = [{ scope: "total", limit: "1.00" }]
  const killed = await openStore(file, { limits, leaseMs: 1_000 })
  const result = await killed.budget.reserve({ amount: "0.25" })
  // As kill -9 does: no heartbeat follows, and nothing is settled.
  await killed.close()
  const { expiresAt } = (result as Extract<typeof result, { ok: true }>).reservation
  while (Date.now() <= expiresAt!) await new Promise((resolve) => setTimeout(resolve, 50))
  const again = await serveProvider(file, { limits, anonymous: {} })
  const { budget, close } = await openStore(file, { limits })
  const { store } = budget
  const { counters } = await store.read({ partition: budget.partitionOf(), counters: ["total|usd|total"] })
  expect(counters[0]).toMatchObject({ spent: 250_000_000, reserved: 0 })
  await close()
  await again.close()
})

it("accepts the configured hosts, with and without the port", async () => {
  const { key } = await served.addKey()
  const { port } = new URL(served.server.url)
  for (const host of ["p2.example.com", `p2.example.com:${port}`, `localhost:${port}`])
    expect((await served.call(key, { method: "GET", path: "/openai/v1/models", headers: { host } })).status).toBe(200)
})

it("writes no key, no token and no prompt, in logs and in the database", async () => {
  const { key } = await served.addKey({ userId: "planted" })
  expect((await served.call(key)).status).toBe(200)
  await served.call(key, { body: { ...CALL, model: UPSTREAM_KEY } })
  await served.call(key, { path: `/openai/v1/chat/completions?key=${key}`, body: "{" })
  const written = [
    served.lines.join(""),
    ...readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1")),
  ].join("\n")
  expect(written).toContain("planted")
  for (const secret of [key, key.slice(4), UPSTREAM_KEY, PROMPT]) expect(written).not.toContain(secret)
})

describe("anonymous calls", () => {
  it("are those of the configured user, whatever key the SDK sends; an unknown virtual key is rejected", async () => {
    const open = await serveProvider("memory:", { anonymous: { user: "local" } })
    try {
      expect((await open.call(undefined)).status).toBe(200)
      expect((await open.call("sk-anything")).status).toBe(200)
      expect((await open.call(`p2k_${"A".repeat(43)}`)).status).toBe(401)
      const attempts = open.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "attempt")
      expect(attempts.map(({ user }) => user)).toEqual(["local", "local"])
      expect(open.lines.join("")).not.toContain("sk-anything")
    } finally {
      await open.close()
    }
  })
})

it("while it stops, sends nothing for requests on connections that are still open", async () => {
  const open = await serveProvider("memory:", { anonymous: {} })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    let answer = () => {}
    open.provider.faults.next({ until: new Promise<void>((resolve) => (answer = resolve)) })
    const first = open.call(undefined, { agent })
    while (open.provider.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const closing = open.server.close({ graceMs: 60_000 })
    // It waits for the connection of the first.
    const second = open.call(undefined, { agent }).then(
      ({ status }) => status,
      (error: NodeJS.ErrnoException) => error.code,
    )
    answer()
    expect((await first).status).toBe(200)
    expect([503, "ECONNRESET", "ECONNREFUSED"]).toContain(await second)
    await closing
    expect(open.provider.received).toHaveLength(1)
  } finally {
    agent.destroy()
    await open.close().catch(() => {})
  }
})

describe("the dashboard", () => {
  it("is signed in by its link, once, and shows nothing to others", async () => {
    const open = await serveProvider("memory:", { anonymous: { user: "ada-of-the-ledger" }, dashboard: true })
    try {
      expect((await open.call(undefined)).status).toBe(200)
      const get = (path: string, headers: Record<string, string> = {}) =>
        open.call(undefined, { method: "GET", path, headers })
      const link = new URL(open.server.dashboard!.createLink())
      expect(link.origin).toBe(open.server.url)
      for (const headers of [{}, { cookie: "p2_dashboard=1" }, { host: "evil.test" }])
        expect((await get("/dashboard", headers)).text).not.toContain("ada-of-the-ledger")
      expect((await get("/dashboard", { host: "evil.test" })).status).toBe(403)
      const opened = await get(link.pathname + link.search)
      expect(String(opened.headers["set-cookie"])).toContain("HttpOnly; SameSite=Strict")
      expect((await get(link.pathname + link.search)).headers["set-cookie"]).toBeUndefined()
      // A key of a caller opens no dashboard.
      expect((await open.call(UPSTREAM_KEY, { method: "GET", path: "/dashboard" })).status).not.toBe(200)
      expect(open.lines.join("")).not.toContain(link.search)
    } finally {
      await open.close()
    }
  })
})

it("opens the account's paths if the configuration says so", async () => {
  const open = await serveProvider("memory:", { anonymous: {}, accountPaths: true })
  try {
    const { text } = await open.call(undefined, { method: "GET", path: "/openai/v1/files" })
    expect(text).not.toContain("path_not_allowed")
  } finally {
    await open.close()
  }
})

describe("the start fails", () => {
  it("if a variable is not set, a webhook is invalid, or an upstream has no address", async () => {
    const start = (changes: Record<string, unknown>, env: NodeJS.ProcessEnv = {}) =>
      serveProvider("memory:", changes, env).then(
        () => "started",
        (error: Error) => error.message,
      )
    expect(await start({}, { UPSTREAM_KEY: "" })).toBe(
      "p2.json: `upstreams.openai.keyFrom`: the variable UPSTREAM_KEY is not set. Export it before `p2 serve`.",
    )
    const alerts = [{ url: "http://example.com/hook", secretFrom: "SECRET" }]
    expect(await start({ alerts })).toContain("`alerts[0].secretFrom`: the variable SECRET is not set")
    expect(await start({ alerts }, { SECRET: "short" })).toContain("Invalid `alerts[0].url`: expected an https URL")
    expect(await start({ upstreams: { mine: {} } })).toContain("Invalid `upstreams.mine.baseURL`")
  })
})
