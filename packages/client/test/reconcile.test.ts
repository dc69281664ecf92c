import { memoryStore } from "@p2/budget"
import { P2Error } from "@p2/core"
import { startLocalProvider } from "@p2/local-provider"
import { expect, test } from "vitest"
import { openClient } from "./open-client"

const model = "openrouter/openai/gpt-4o-mini"

test("a provider that is away, or refuses to say, leaves the charge, and is told of in the client's own words", async () => {
  await using provider = await startLocalProvider({ apiKey: "sk-right" })
  const gone = await startLocalProvider()
  await gone.close()
  const store = memoryStore()
  const open = (baseURL: string, apiKey: string) => openClient(provider, { model }, { baseURL, apiKey, store })
  provider.faults.next({ noUsage: true })
  const { receipt } = await open(provider.openRouterBaseURL, "sk-right").generate()
  expect(receipt.costSource).toBe("bound")
  for (const [baseURL, code] of [
    [gone.openRouterBaseURL, "connection-lost"],
    [provider.openRouterBaseURL, "provider-auth"],
  ] as const) {
    const error = await open(baseURL, "sk-wrong")
      .reconcile(receipt.requestId)
      .catch((thrown: unknown) => thrown)
    expect(P2Error.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ code })
  }
  const entry = async () => (await store.ledger!.get({ root: "main", requestId: receipt.requestId }))[0]
  expect((await entry())?.costNanoUsd).toBe(receipt.costNanoUsd)
  await open(provider.openRouterBaseURL, "sk-right").reconcile(receipt.requestId)
  expect((await entry())?.costNanoUsd).toBe(provider.ledger.totalNanoUsd)
})
