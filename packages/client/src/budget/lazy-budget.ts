import type { Budget, Limit, LimitStatus, Subject } from "@p2/budget"
import { callObserver, type Request, type RequestBudget } from "@p2/core"
import { inCurrentScope, mergeSubjects } from "@p2/guard/charge"
import { ClientClosedError } from "../errors"
import type { LLMClientOptions, Logger } from "../options/client-options"
import { type OpenedBudget, openBudget } from "./open-budget"

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

/**
 * A user or client without a budget is counted without a limit, so that a budget set later includes earlier spending. Frozen,
 * so that the budget validates the limits once.
 */
function requestLimits(request: Request<unknown>): readonly Limit[] {
  const { userId, clientId, userBudget, clientBudget } = request
  return Object.freeze([
    ...(userId === undefined ? [] : [limitOf("user", userBudget)]),
    ...(clientId === undefined ? [] : [limitOf("client", clientBudget)]),
  ])
}

function limitOf(scope: "user" | "client", budget: RequestBudget | undefined): Limit {
  if (budget === undefined) return Object.freeze({ scope, limit: null })
  const { limitNanoUsd, timeZone, start, alertAt, ...window } = budget
  const isCalendar = /^(hour|day|week|month|quarter)$/.test(window.per)
  return Object.freeze({
    scope,
    limit: Object.freeze({ nanoUsd: limitNanoUsd }),
    ...window,
    ...(isCalendar && { timeZone }),
    ...(start && { start: Object.freeze({ ...start }) }),
    ...(alertAt && { alertAt: Object.freeze([...alertAt]) }),
  })
}

const WARNED_STORES = Symbol.for("@p2/client/warned-stores")

/** Warns once per process when a user or client limit is in a store that other processes do not share, or that loses data. */
async function warnOfWeakStore(budget: Budget, request: Request<unknown>, logger: Logger | undefined): Promise<void> {
  if (request.userBudget === undefined && request.clientBudget === undefined) return
  const shared = globalThis as { [WARNED_STORES]?: Set<string> }
  shared[WARNED_STORES] ??= new Set()
  const warned = shared[WARNED_STORES]
  const { store } = budget
  if (warned.has(store.name)) return
  // Marks the store before the first await, because many clients may open at the same time.
  warned.add(store.name)
  if (await isDurable(budget)) return
  const problem = store.capabilities.shared ? "does not survive a restart" : "is visible only to this process"
  const message =
    `A user or client limit is kept in the store "${store.name}", which ${problem}. ` +
    'Pass `store: "redis://…"` or `store: "file:./p2.db"`.'
  callObserver(() =>
    logger?.warn === undefined
      ? process.emitWarning(message, { code: "P2_WEAK_STORE" })
      : logger.warn(`p2: ${message}`),
  )
}

async function isDurable(budget: Budget): Promise<boolean> {
  if (!budget.store.capabilities.shared) return false
  // A store that cannot be checked fails the calls that use it.
  const check = await budget.check().catch(() => undefined)
  return check === undefined || check.durability !== "none"
}
