import { readdirSync, readFileSync } from "node:fs"
import { createBudget, memoryStore } from "@p2/budget"
import type { GuardAttempt } from "@p2/guard"
import { acceptToken, createProxy, type ProxyOptions } from "@p2/guard/proxy"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const FOLDER = new URL("requests/", import.meta.url)
const TOKEN = "token-of-32-random-characters-00"
/** As `p2 run` sets them. */
const OPTIONS = { serviceTier: "default", maxToolCalls: 2 }

/** A request of an agent program, recorded by `pnpm agents --bodies`. */
interface Recording {
  program: string
  path: string
  headers: Record<string, string>
  body: Record<string, unknown>
}

const recordings = new Map(
  readdirSync(FOLDER).map((file) => [
    file.replace(".json", ""),
    JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as Recording,
  ]),
)

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider({ ownRules: true })
})
afterAll(() => provider.close())

function proxyOver(limit: string, options: Partial<ProxyOptions> = OPTIONS) {
  const attempts: GuardAttempt[] = []
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const proxy = createProxy({
    ...{ budget, authenticate: acceptToken(TOKEN), onAttempt: (attempt) => void attempts.push(attempt), ...options },
    upstreams: {
      openai: { baseURL: provider.baseURL, apiKey: "key" },
      anthropic: { baseURL: provider.anthropicBaseURL, apiKey: "key" },
      gemini: { baseURL: provider.geminiBaseURL, apiKey: "key" },
    },
  })
  const send = ({ path, headers, body }: Recording, method = "POST") => {
    const upstream = path.startsWith("/v1beta") ? "gemini" : "anthropic-version" in headers ? "anthropic" : "openai"
    const init = { method, headers: { ...headers, authorization: `Bearer ${TOKEN}` } }
    return proxy(
      new Request(
        `http://127.0.0.1/${upstream}${path}`,
        method === "POST" ? { ...init, body: JSON.stringify(body) } : init,
      ),
    )
  }
  return { attempts, budget, send }
}

/** The message of an error in any provider's format. */
async function messageOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { message: string } }
  return error.message
}

describe.each([...recordings])("the request of %s", (_name, recording) => {
  it("is bounded, and charged what the provider bills", async () => {
    const { attempts, budget, send } = proxyOver("1000")
    provider.ledger.clear()
    const response = await send(recording)
    expect(await response.text()).not.toBe("")
    expect(response.status).toBe(200)
    expect(attempts).toMatchObject([{ status: "succeeded", inDoubt: false }])
    expect(attempts[0]!.costNanoUsd).toBeLessThanOrEqual(attempts[0]!.reservedNanoUsd)
    expect(provider.ledger.calls).toHaveLength(1)
    const [status] = await budget.status({})
    expect(status).toMatchObject({ spentNanoUsd: provider.ledger.totalNanoUsd, reservedNanoUsd: 0 })
  })

  it("is denied before it is sent, in the format of its provider", async () => {
    const { send } = proxyOver("0.000001")
    provider.ledger.clear()
    const response = await send(recording)
    expect(response.status).toBe(402)
    expect(response.headers.get("x-should-retry")).toBe("false")
    expect(await messageOf(response)).toMatch(/^Budget exceeded/)
    expect(provider.ledger.calls).toEqual([])
  })
})

describe("hosted tools", () => {
  it("of codex are rejected by name without a maximum, with the remedy", async () => {
    const response = await proxyOver("1000", {}).send(recordings.get("codex-gpt-5")!)
    expect(response.status).toBe(400)
    expect(await messageOf(response)).toMatch(/web_search.*maxToolCalls/)
  })

  it("of codex are sent with the maximum that p2 sets", async () => {
    const { send } = proxyOver("1000")
    await (await send(recordings.get("codex-gpt-5")!)).text()
    expect(provider.received.at(-1)!.body).toMatchObject({ max_tool_calls: 2, service_tier: "default" })
  })

  it("of claude are bounded by their own maximum, or rejected by name without it", async () => {
    const search = recordings.get("claude-search")!
    const { attempts, send } = proxyOver("1000")
    await (await send(search)).text()
    expect(search.body.tools).toMatchObject([{ type: "web_search_20250305", max_uses: 8 }])
    expect(attempts[0]!.reservedNanoUsd).toBeGreaterThan(8 * 10_000_000)
    const endless = {
      ...search,
      body: { ...search.body, tools: [{ type: "web_search_20250305", name: "web_search" }] },
    }
    const response = await send(endless)
    expect(response.status).toBe(400)
    expect(await messageOf(response)).toMatch(/web_search_20250305.*max_uses/)
  })
})

describe("what programs send in addition to calls", () => {
  it("reaches the provider and costs nothing", async () => {
    const { attempts, send } = proxyOver("0")
    const claude = recordings.get("claude")!
    // Claude Code asks for the base URL itself before its first call.
    for (const path of ["", "/v1/messages"]) expect((await send({ ...claude, path }, "HEAD")).status).toBe(200)
    expect(attempts).toEqual([])
  })

  it("has paths with and without the version", async () => {
    const { send } = proxyOver("1000")
    const claude = recordings.get("claude")!
    for (const path of ["/v1/messages?beta=true", "/v1/messages"])
      expect((await send({ ...claude, path })).status).toBe(200)
  })
})
