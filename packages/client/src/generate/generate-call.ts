import type { Budget, BudgetAlert, BudgetExceededError, Limit, Subject } from "@p2/budget"
import type { CompiledAnswer, Message, NanoUsd, Request } from "@p2/core"
import type { ChargeOptions } from "@p2/guard/charge"
import type { Bound } from "@p2/pricing"
import type { OpenAI } from "openai"
import type { ContextExceededError, ErrorWithReceipt } from "../errors"
import type { ClientClock, Logger } from "../options/client-options"
import type { Route } from "../providers/route"
import type { AnswerMode, AttemptReason, Receipt } from "../receipt"
import type { CompiledTools, ToolFields } from "../steps/compiled-tools"
import type { ToolCallOf, ToolResultOf, ToolSet } from "../steps/tool"

/** The part of a {@link GenerateCall} that decides the plan of an attempt. */
export interface PlanInput {
  request: Request<unknown>
  /** The request's model and its fallbacks, in order. */
  routes: readonly Route[]
  /** A snapshot of the conversation when the call began. */
  messages: readonly Message[]
  /** Undefined: the model cannot call tools. */
  tools: CompiledTools | undefined
  /** Undefined: the answer is text. */
  compiled: CompiledAnswer<unknown> | undefined
  stream: boolean
}

/** A call of `generate()` or `stream()`, or an item of `map()`. It never changes. */
export interface GenerateCall extends PlanInput {
  requestId: string
  /** Number of the first attempt: higher than 1 if the request was tried before, in another run of its batch. */
  firstAttempt: number
  /** Another run of the batch can resume the request: its id is that of the item, and its answer is recorded. */
  isResumable: boolean
  /** The OpenAI instance of each route. */
  instances: ReadonlyMap<Route, OpenAI>
  /** The budget and the subject of the attempts, and the limits of the request in addition to those of the budget. */
  budget: Budget
  subject: Subject
  limits: readonly Limit[]
  /** The choice for attempts whose cost is in doubt. */
  chargeOptions: ChargeOptions | undefined
  /** How long an attempt waits for budget that other calls have reserved; undefined: it does not. */
  wait: { timeoutMs: number } | undefined
  /** Called when a threshold of `alertAt` is crossed. */
  onAlert: ((alert: BudgetAlert) => void) | undefined
  deadlines: { connectMs: number; firstContentMs: number; idleMs: number }
  signal: AbortSignal | undefined
  /** Called with the text so far after each piece of content. */
  onText: ((text: string) => void) | undefined
  /** Adds the turn of the model to the conversation: its answer, after the tool calls and results before it. */
  addTurn: (messages: readonly Message[]) => void
  clock: ClientClock
  logger: Logger | undefined
  /** Stores prompts and answers in the ledger. */
  recordContent: boolean
  /** Keeps the client open until this work has ended. */
  waitFor: (work: Promise<unknown>) => Promise<unknown>
}

/** What changes from one attempt of a call to the next. Decided before the attempt, never changed by it. */
export interface AttemptSettings {
  /** From 1. */
  attempt: number
  /** Number of the step, from 1: each later one begins with the results of tools. */
  step: number
  /** The tool calls of the steps before this one, and their results. They follow the messages of the call. */
  stepMessages: readonly Message[]
  reason: AttemptReason
  /** Wait before the attempt. */
  delayMs: number
  routeIndex: number
  mode: AnswerMode
  /** Requests the usage of a stream. Some servers do not know the field. */
  requestsStreamUsage: boolean
  /** Messages added to the conversation: the invalid answer and its issues. */
  repairMessages: readonly Message[]
  /** Output tokens to request if the request has no `maxTokens`; undefined: the default. */
  maxTokens: number | undefined
  /** `maxTokens` was lowered to what a denying scope can afford: at most once for each model and step. */
  narrowed: boolean
  /** Retries of this model in this step so far. */
  retries: number
  /** Repairs in this step so far. */
  repairs: number
}

/** `<requestId>.<attempt>`: the id of an attempt, and the idempotency key of its reservation. */
export function attemptId({ requestId }: GenerateCall, { attempt }: AttemptSettings): string {
  return `${requestId}.${attempt}`
}

/**
 * What one attempt sends, and the most it can cost. `denied`: by `maxBudget` or the context window; the amounts are then those
 * of the same attempt without that limit.
 */
export type AttemptPlan = {
  settings: AttemptSettings
  route: Route
  /** As sent: with repair messages, and with the schema as instructions if the mode has no field for it. */
  messages: readonly Message[]
  /** A stream is requested, by the caller or because the provider requires it. */
  streamed: boolean
  /** As counted, and the upper bound of what the provider counts. */
  inputTokens: number
  inputUpperBound: number
  /** Output tokens to request. */
  maxTokens: number
  upperBoundNanoUsd: NanoUsd
  /** The highest prices that OpenRouter may charge. */
  maxPrice: Bound["maxPrice"]
  toolFields: ToolFields | undefined
} & ({ status: "planned" } | { status: "denied"; error: BudgetExceededError | ContextExceededError })

/** What remains of the total deadline, and of `maxBudget` (undefined: no limit). */
export interface Remaining {
  ms: number
  nanoUsd: NanoUsd | undefined
}

/**
 * The result of a call that did not fail. `finishReason` is `length` if a text answer ended at `maxTokens`. With tools it is
 * `tool-calls` if the model called tools that were not run, because they have no `execute` or `maxSteps` was reached: there is
 * no answer yet, and the conversation ends with the calls. Add their results with `client.msg.addToolResult(id, result)`, and
 * call again.
 */
export type Generated<Answer, Tools extends ToolSet | undefined = undefined> = Tools extends ToolSet
  ? {
      /** The calls that were not run; empty if there is an answer. */
      toolCalls: ToolCallOf<Tools>[]
      /** The calls that were answered, in order. */
      toolResults: ToolResultOf<Tools>[]
      receipt: Receipt
    } & ({ finishReason: "stop" | "length"; answer: Answer } | { finishReason: "tool-calls"; answer?: undefined })
  : { finishReason: "stop" | "length"; answer: Answer; receipt: Receipt }

/** The result of a call. `error.code` narrows `error` to its fields. */
export type GenerateResult<Answer, Tools extends ToolSet | undefined = undefined> =
  | ({ ok: true } & Generated<Answer, Tools>)
  | { ok: false; error: ErrorWithReceipt; receipt: Receipt }
