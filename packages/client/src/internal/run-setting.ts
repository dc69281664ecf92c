import type { Budget, Limit, Subject } from "@p2/budget"
import type { CompiledAnswer, Message, Request } from "@p2/core"
import type { ClientClock, Logger } from "../client-options"
import type { Route } from "./route"

/** Everything a request needs to run. */
export interface RunSetting {
  requestId: string
  request: Request<unknown>
  /** The request's model and its fallbacks, in order. */
  routes: readonly Route[]
  /** A snapshot: what is added to the conversation meanwhile belongs to the next request. */
  messages: readonly Message[]
  compiled: CompiledAnswer<unknown> | undefined
  budget: Budget
  subject: Subject
  /** What the request brings along. */
  limits: readonly Limit[]
  deadlines: { connectMs: number; firstContentMs: number; idleMs: number }
  signal: AbortSignal | undefined
  stream: boolean
  onContent: ((text: string) => void) | undefined
  clock: ClientClock
  logger: Logger | undefined
  /** What the client waits for before it is closed, also when the call has ended. */
  keep<T>(work: Promise<T>): Promise<T>
  /** Whether prompts and answers go to the ledger. */
  recordContent: boolean
}
