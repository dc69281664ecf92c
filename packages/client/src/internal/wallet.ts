import type { Budget, BudgetExceededError, BudgetUsage, Limit, Reservation, Subject, UsageEntry } from "@p2/budget"
import type { Request } from "@p2/core"
import type { LLMClientOptions } from "../client-options"
import { leftIn, type ScopeState } from "./budget-info-of"
import { type OpenedBudget, openBudget } from "./open-budget"
import type { Hold, Purse, Refused } from "./purse"
import { requestLimits } from "./request-limits"
import { warnOfWeakStore } from "./weak-store-warning"

interface OpenedWallet extends OpenedBudget {
  purse: Purse
}

/** The budget of a client: whose it is, which limits the request brings, and where it is kept. Opened on first use. */
export class Wallet {
  readonly #request: Request<unknown>
  readonly #options: LLMClientOptions
  readonly #subject: Subject
  readonly #limits: readonly Limit[]
  #opening: Promise<OpenedWallet> | undefined

  constructor(request: Request<unknown>, options: LLMClientOptions) {
    this.#request = request
    this.#options = options
    this.#subject = { userId: request.userId, clientId: request.clientId, tags: request.tags }
    this.#limits = requestLimits(request)
  }

  /** The budget, for questions and as attempts see it. */
  open(): Promise<OpenedWallet> {
    this.#opening ??= this.#connect().catch((error: unknown) => {
      // The next call tries again.
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  /** Where every limit stands that the request counts against. */
  async scopes(): Promise<ScopeState[]> {
    const { budget } = await this.open()
    const states = await budget.status({ ...this.#subject, model: this.#request.model }, { limits: this.#limits })
    return states.map(({ scope, window, unit, limit, spent, reserved, remaining, resetsAt }) => ({
      scope: typeof scope === "string" ? scope : "tag" in scope ? `tag:${scope.tag}` : "child",
      window,
      unit,
      limit,
      spent,
      reserved,
      remaining: remaining === null ? null : Math.max(0, remaining),
      resetsAt: resetsAt === null ? null : new Date(resetsAt),
    }))
  }

  /** The usage ledger, read at this request's root. */
  async ledger(): Promise<{ usage: BudgetUsage; subject: Subject; budget: Budget }> {
    const { budget } = await this.open()
    return { usage: budget.usage, subject: this.#subject, budget }
  }

  /** Waits for pending settlements, and closes the store if this client opened it. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined)
    this.#opening = undefined
    await opened?.release()
  }

  async #connect(): Promise<OpenedWallet> {
    const opened = await openBudget(this.#options)
    await warnOfWeakStore(opened.budget, this.#request, this.#options.logger)
    return { ...opened, purse: this.#purseOf(opened.budget) }
  }

  #purseOf(budget: Budget): Purse {
    const { userId, clientId, tags } = this.#subject
    return {
      reserve: async ({ id, amountNanoUsd, tokens, draft }) => {
        const held = await budget.reserve({
          id,
          subject: { userId, clientId, tags, model: draft.model, requestId: draft.requestId },
          amount: { nanoUsd: amountNanoUsd, tokens },
          limits: this.#limits,
          draft,
        })
        return held.ok ? { ok: true, hold: holdOf(held.reservation, tokens) } : refusedBy(held.error)
      },
      recordRefusal: async (id, entry) => {
        // Statistics never stand in the way of a refusal.
        await budget.usage.record(id, entry, { subject: this.#subject }).catch(() => false)
      },
    }
  }
}

function holdOf(reservation: Reservation, reservedTokens: number): Hold {
  return {
    settle: (nanoUsd, entry) => reservation.settle({ nanoUsd, tokens: tokensOf(entry, reservedTokens) }, entry),
    release: (entry) => reservation.release(entry),
  }
}

/** Unknown usage costs what was set aside, in tokens as in money. */
function tokensOf(entry: UsageEntry, reservedTokens: number): number {
  if (entry.costSource === "bound") return reservedTokens
  return (entry.tokens.inputTokens ?? 0) + (entry.tokens.outputTokens ?? 0)
}

function refusedBy(error: BudgetExceededError): Refused {
  return { ok: false, error, left: leftIn(error.all) }
}
