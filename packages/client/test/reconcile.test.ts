import { memoryStore } from "@p2/budget"
import { P2Error } from "@p2/core"
import { refusedURL, startLocalProvider } from "@p2/local-provider"
import { expect, test } from "vitest"
import { openClient } from "./open-client"

const model = "openrouter/openai/gpt-4o-mini"

test("an unreachable or rejecting provider is an error of the client and leaves the charge", async () => {
  await using provider = await startLocalProvider({ apiKey: "sk-right" })
  const refused = await refusedURL()
  const store = memoryStore()
  const open = (baseURL: string, apiKey: string) => openClient(provider, { model }, { baseURL, apiKey, store })
  provider.faults.next({ noUsage: true })
  const { receipt } = await open(provider.openRouterBaseURL, "sk-right").generate()
  expect(receipt.costSource).toBe("bound")
  for (const [baseURL, code] of [
    [`${refused}/api/v1`, "connection-lost"],
    [provider.openRouterBaseURL, "provider-auth"],
  ] as const) {
    const error = await open(baseURL, "sk-wrong")
      .reconcile(receipt.requestId)
      .catch((thrown: unknown) => thrown)
    expect(P2Error.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ code })
  }
  const entry = async () => (await store.ledger!.get({ partition: "main", requestId: receipt.requestId }))[0]
  expect((await entry())?.costNanoUsd).toBe(receipt.costNanoUsd)
  await open(provider.openRouterBaseURL, "sk-right").reconcile(receipt.requestId)
  expect((await entry())?.costNanoUsd).toBe(provider.ledger.totalNanoUsd)
})
