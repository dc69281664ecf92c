import type { Budget, Limit, LimitStatus, Subject } from "@p2/budget"
import type { Request } from "@p2/core"
import type { LLMClientOptions } from "../client-options"
import { type OpenedBudget, openBudget } from "./open-budget"
import { requestLimits } from "./request-limits"
import { warnOfWeakStore } from "./weak-store-warning"

/** The budget of a client: whose it is, which limits the request brings, and where it is kept. Opened on first use. */
export class Wallet {
  readonly subject: Subject
  readonly limits: readonly Limit[]
  readonly #request: Request<unknown>
  readonly #options: LLMClientOptions
  #opening: Promise<OpenedBudget> | undefined

  constructor(request: Request<unknown>, options: LLMClientOptions) {
    this.#request = request
    this.#options = options
    this.subject = { userId: request.userId, clientId: request.clientId, tags: request.tags }
    this.limits = requestLimits(request)
  }

  async open(): Promise<Budget> {
    this.#opening ??= this.#connect().catch((error: unknown) => {
      // The next call tries again.
      this.#opening = undefined
      throw error
    })
    const { budget } = await this.#opening
    return budget
  }

  /** Where every limit stands that the request counts against. */
  async status(): Promise<LimitStatus[]> {
    const budget = await this.open()
    return budget.status({ ...this.subject, model: this.#request.model }, { limits: this.limits })
  }

  /** Waits for pending settlements, and closes the store if this client opened it. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined)
    this.#opening = undefined
    await opened?.release()
  }

  async #connect(): Promise<OpenedBudget> {
    const opened = await openBudget(this.#options)
    // Not waited for: a store that hangs would keep the first call beyond its deadline for the sake of a warning.
    void warnOfWeakStore(opened.budget, this.#request, this.#options.logger)
    return opened
  }
}
