import type { Budget, Subject } from "@p2/budget"
import type { GuardAttempt } from "@p2/guard"
import type { ProxyCaller } from "@p2/guard/proxy"

/** Options of `createDashboard`. */
export interface DashboardOptions {
  /** The limits, and the ledger of the store. A child of a budget shows its own limit as well. */
  budget: Budget
  /**
   * Where browsers reach the server, such as `"http://127.0.0.1:4000"`; a function if the port is not bound yet. Requests with
   * another `Host` or `Origin` get status 403.
   */
  origin: string | (() => string)
  /** The path of the page, without a slash at its end. @defaultValue "/dashboard" */
  basePath?: string | undefined
  /** What is shown, such as the command of `p2 run`. @defaultValue none */
  title?: string | undefined
  /** Subjects whose limits are shown even if they made no call; those of recent and expensive calls are added. @defaultValue none */
  subjects?: (() => readonly Subject[] | Promise<readonly Subject[]>) | undefined
  /**
   * Shows only the limits of `subjects`, for a ledger that also has calls of programs with other limits, such as
   * another `p2 run`. @defaultValue false
   */
  onlySubjects?: boolean | undefined
  /** Selects the ledger of the subject's partition. @defaultValue the partition of an empty subject */
  partition?: Subject | undefined
  /** Called when the store fails, once until it works again. @defaultValue none */
  onWarning?: ((message: string, cause?: unknown) => void) | undefined
}

/** A live, read-only page that shows what LLM calls cost. */
export interface Dashboard {
  /** Whether the dashboard serves the path of a request. */
  owns(request: Request): boolean
  /** Answers a request that the dashboard owns. */
  handle(request: Request): Promise<Response>
  /**
   * A link that opens the dashboard once, within 15 minutes, and then keeps the browser signed in until the process ends. Print it
   * where only the user reads it.
   */
  createLink(): string
  /**
   * Pass it as `onAttempt` of `createProxy`: then denials show which limit denied the call and what remained. The ledger records
   * only that a call was over budget.
   */
  onAttempt(attempt: GuardAttempt, caller: ProxyCaller): void
  /**
   * Ends the streams of open pages, and signs everyone out. Call it before the server closes, because a stream never
   * ends by itself.
   */
  close(): void
}
