import type { Budget, Limit, LimitStatus, Subject } from "@p2/budget"
import type { Request, RequestBudget } from "@p2/core"
import { inCurrentScope, mergeSubjects } from "@p2/guard/charge"
import { ClientClosedError } from "../errors"
import type { LLMClientOptions } from "../options/client-options"
import { type OpenedBudget, openBudget } from "./open-budget"
import { warnOfWeakStore } from "./weak-store-warning"

/** The budget of a client, opened on first use, with the subject and the limits of its request. */
export class LazyBudget {
  readonly subject: Subject
  readonly #limits: readonly Limit[]
  readonly #request: Request<unknown>
  readonly #options: LLMClientOptions
  #opening: Promise<OpenedBudget> | undefined
  #isClosed = false

  constructor(request: Request<unknown>, options: LLMClientOptions) {
    this.#request = request
    this.#options = options
    this.subject = { userId: request.userId, clientId: request.clientId, tags: request.tags }
    this.#limits = requestLimits(request)
  }

  /**
   * The budget, the subject and the limits of a call that is made now. `withBudget` of `@p2/guard` around it adds its limits,
   * may replace the budget, and completes the subject. @throws ClientClosedError
   */
  async open(): Promise<{ budget: Budget; subject: Subject; limits: readonly Limit[] }> {
    if (this.#isClosed) throw new ClientClosedError()
    this.#opening ??= this.#open().catch((error: unknown) => {
      // The next call tries again.
      this.#opening = undefined
      throw error
    })
    const { budget } = await this.#opening
    const scope = inCurrentScope(budget, undefined)
    const subject = mergeSubjects(scope.subject, this.subject) ?? this.subject
    return { budget: scope.budget, subject, limits: this.#limits }
  }

  /** The status of every limit that the request counts against. */
  async status(): Promise<LimitStatus[]> {
    const { budget, subject, limits } = await this.open()
    return budget.status({ ...subject, model: this.#request.model }, { limits })
  }

  /** Waits for pending settlements, and closes the store if this client opened it. */
  async close(): Promise<void> {
    this.#isClosed = true
    const opened = await this.#opening?.catch(() => undefined)
    this.#opening = undefined
    await opened?.close()
  }

  async #open(): Promise<OpenedBudget> {
    const opened = await openBudget(this.#options)
    // Not awaited: a store that hangs must not delay the first call for a warning.
    void warnOfWeakStore(opened.budget, this.#request, this.#options.logger)
    return opened
  }
}

/** A user or client without a budget is counted without a limit, so that a budget set later includes earlier spending. */
function requestLimits(request: Request<unknown>): Limit[] {
  const { userId, clientId, userBudget, clientBudget } = request
  return [
    ...(userId === undefined ? [] : [limitOf("user", userBudget)]),
    ...(clientId === undefined ? [] : [limitOf("client", clientBudget)]),
  ]
}

function limitOf(scope: "user" | "client", budget: RequestBudget | undefined): Limit {
  if (budget === undefined) return { scope, limit: null }
  const { limitNanoUsd, timeZone, ...window } = budget
  const isCalendar = /^(hour|day|week|month|quarter)$/.test(window.per)
  return { scope, limit: { nanoUsd: limitNanoUsd }, ...window, ...(isCalendar ? { timeZone } : {}) }
}
