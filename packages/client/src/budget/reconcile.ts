import type { StoredEntry } from "@p2/budget"
import { InvalidArgumentError, isRecord, type NanoUsd } from "@p2/core"
import { readOpenAIChatUsage } from "@p2/pricing/usage"
import type { OpenAI } from "openai"
import { ConnectionLostError } from "../errors"
import type { Route } from "../providers/route"
import type { Routes } from "../providers/routes"
import { statusError } from "../transport/provider-failure"
import type { LazyBudget } from "./lazy-budget"

/** The result of `client.reconcile()`. Attempts are identified by their number. */
export interface Reconciliation {
  requestId: string
  /** Attempts whose cost was corrected, in the ledger and in every scope. */
  corrected: { attempt: number; fromNanoUsd: NanoUsd; toNanoUsd: NanoUsd }[]
  /** Attempts whose cost was already correct. They are no longer in doubt. */
  confirmed: number[]
  /** Attempts without a reported cost: not made through OpenRouter, without a generation id, or not yet known there. */
  unknown: number[]
}

/** Corrects the cost of a request's attempts to what OpenRouter reports for their generations. */
export async function reconcileRequest(
  requestId: string | undefined,
  lazyBudget: LazyBudget,
  routes: Routes,
  now: () => number,
): Promise<Reconciliation> {
  if (typeof requestId !== "string" || requestId === "")
    throw new InvalidArgumentError("requestId", "the id of a request, such as `receipt.requestId`", requestId)
  const { budget, subject } = await lazyBudget.open()
  const result: Reconciliation = { requestId, corrected: [], confirmed: [], unknown: [] }
  const instances = await routes.connect()
  for (const entry of await budget.usage.get(requestId, { subject })) {
    const { attempt, costNanoUsd: fromNanoUsd } = entry
    if (entry.costSource === "none" && !entry.inDoubt) continue
    const route = routes.all.find(
      ({ provider }) => provider.dialect === "openrouter" && provider.name === entry.provider,
    )
    const reported = route === undefined ? undefined : await fetchGeneration(route, instances.get(route)!, entry, now)
    if (reported === undefined) result.unknown.push(attempt)
    else {
      const { costNanoUsd: toNanoUsd, tokens } = reported
      const isCorrect = toNanoUsd === fromNanoUsd
      if (!isCorrect || entry.inDoubt) {
        const cost = { nanoUsd: toNanoUsd, tokens: tokens.inputTokens + tokens.outputTokens }
        await budget.correct({ entry, cost, changes: { ...reported, costSource: "provider" }, subject })
      }
      if (isCorrect) result.confirmed.push(attempt)
      else result.corrected.push({ attempt, fromNanoUsd, toNanoUsd })
    }
  }
  return result
}

interface GenerationCost {
  costNanoUsd: NanoUsd
  tokens: { inputTokens: number; outputTokens: number }
}

/** OpenRouter's `GET /generation`: https://openrouter.ai/docs/api-reference/get-a-generation */
async function fetchGeneration(
  route: Route,
  openai: OpenAI,
  entry: StoredEntry,
  now: () => number,
): Promise<GenerationCost | undefined> {
  if (entry.generationId === undefined) return undefined
  const path = `/generation?id=${encodeURIComponent(entry.generationId)}`
  // This request is free, so the SDK may retry it without a reservation.
  const body: unknown = await openai.get(path, { maxRetries: 2 }).catch((error: unknown) => {
    const { name } = route.provider
    const failure = statusError(error, name, now())
    // OpenRouter stores a generation a few seconds after the call.
    if (failure?.status !== 404) throw failure ?? new ConnectionLostError(name, error)
  })
  const data = isRecord(body) ? body.data : undefined
  if (!isRecord(data)) return undefined
  const counts = { prompt_tokens: data.native_tokens_prompt, completion_tokens: data.native_tokens_completion }
  const reported = readOpenAIChatUsage({ ...counts, cost: data.total_cost, is_byok: data.is_byok }, "openrouter")
  if (reported.status === "none" || reported.cost === undefined) return undefined
  const { inputTokens, outputTokens } = reported.usage
  const cost = route.costOf(reported, undefined)
  return cost && { costNanoUsd: cost.costNanoUsd, tokens: { inputTokens, outputTokens } }
}
