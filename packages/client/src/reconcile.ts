import type { StoredEntry } from "@p2/budget"
import { InvalidArgumentError, type NanoUsd } from "@p2/core"
import { ConnectionLostError } from "./client-errors"
import type { RouteBook } from "./internal/open-routes"
import { statusError } from "./internal/provider-failure"
import type { Route } from "./internal/route"
import { isRecord, usageFromWire } from "./internal/usage-from-wire"
import type { Wallet } from "./internal/wallet"

/** What {@link reconcileRequest} found out. */
export interface Reconciliation {
  requestId: string
  /** Attempts whose cost was corrected, in the ledger and in every scope. */
  corrected: { attempt: number; fromNanoUsd: NanoUsd; toNanoUsd: NanoUsd }[]
  /** Attempts whose cost was right already. */
  confirmed: number[]
  /** Attempts of which the provider says nothing, or not yet: no generation id, another provider, not found. */
  unknown: number[]
}

/** Asks OpenRouter what a request's generations cost, and corrects what was charged. */
export async function reconcileRequest(
  requestId: string | undefined,
  wallet: Wallet,
  book: RouteBook,
): Promise<Reconciliation> {
  if (typeof requestId !== "string" || requestId === "")
    throw new InvalidArgumentError("requestId", "the id of a request, such as `receipt.requestId`", requestId)
  const { subject } = wallet
  const budget = await wallet.open()
  const result: Reconciliation = { requestId, corrected: [], confirmed: [], unknown: [] }
  const routes = await book.open()
  for (const entry of await budget.usage.get(requestId, { subject })) {
    const { attempt, costNanoUsd: fromNanoUsd } = entry
    if (entry.costSource === "none") continue
    const route = routes.find((each) => each.provider.dialect === "openrouter" && each.provider.name === entry.provider)
    const truth = route === undefined ? undefined : await askGeneration(route, entry)
    if (truth === undefined) result.unknown.push(attempt)
    else if (truth.costNanoUsd === fromNanoUsd) result.confirmed.push(attempt)
    else {
      const { costNanoUsd: toNanoUsd, tokens } = truth
      const cost = { nanoUsd: toNanoUsd, tokens: tokens.inputTokens + tokens.outputTokens }
      await budget.correct({ entry, cost, changes: { ...truth, costSource: "provider" }, subject })
      result.corrected.push({ attempt, fromNanoUsd, toNanoUsd })
    }
  }
  return result
}

interface Truth {
  costNanoUsd: NanoUsd
  tokens: { inputTokens: number; outputTokens: number }
}

/** OpenRouter's `GET /generation`: https://openrouter.ai/docs/api-reference/get-a-generation */
async function askGeneration(route: Route, entry: StoredEntry): Promise<Truth | undefined> {
  if (entry.generationId === undefined) return undefined
  const path = `/generation?id=${encodeURIComponent(entry.generationId)}`
  const answer: unknown = await route.openai.get(path, { maxRetries: 2 }).catch((error: unknown) => {
    const { name } = route.provider
    const said = statusError(error, name, Date.now())
    // Not found: the provider writes it down some seconds after the call, or never had it.
    if (said?.status !== 404) throw said ?? new ConnectionLostError(name, error)
  })
  const data = isRecord(answer) ? answer.data : undefined
  if (!isRecord(data)) return undefined
  const wire = { prompt_tokens: data.native_tokens_prompt, completion_tokens: data.native_tokens_completion }
  const reported = usageFromWire({ ...wire, cost: data.total_cost, is_byok: data.is_byok })
  if (reported?.cost === undefined) return undefined
  const { inputTokens, outputTokens } = reported.usage
  return { costNanoUsd: route.costOf(reported, undefined).nanoUsd, tokens: { inputTokens, outputTokens } }
}
