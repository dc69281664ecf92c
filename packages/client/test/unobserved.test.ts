import { createBudget, memoryStore } from "@p2/budget"
import { guardFetch } from "@p2/guard"
import { startLocalProvider } from "@p2/local-provider"
import OpenAI from "openai"
import { expect, test, vi } from "vitest"
import { openClient } from "./open-client"

/** The builtin modules of a runtime that has AsyncLocalStorage, but does not report requests. */
const builtin = process.getBuiltinModule
vi.spyOn(process, "getBuiltinModule").mockImplementation((id: string) =>
  id === "node:diagnostics_channel" ? (undefined as never) : builtin(id),
)

test("where requests cannot be observed, a guarded instance of the SDK is rejected as well", async () => {
  const provider = await startLocalProvider()
  try {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
    const fetch = guardFetch({ budget, provider: "openai" })
    const openai = new OpenAI({ baseURL: provider.baseURL, apiKey: "local", fetch })
    const result = await openClient(provider, { maxTokens: 500 }, { budget, openai }).generate()
    expect(result).toMatchObject({ ok: false, error: { code: "provider-bad-request", providerCode: "guarded_twice" } })
    expect(provider.received).toHaveLength(0)
    expect((await openClient(provider, { maxTokens: 500 }, { budget }).generate()).ok).toBe(true)
  } finally {
    await provider.close()
  }
})
