import {
  type AnswerModel,
  type CompiledAnswer,
  compileAnswer,
  type Message,
  MessageBuilder,
  P2Error,
  Request,
  type RequestOptions,
  toUsdNumber,
} from "@p2/core"
import { AnswerStream, type GenerateResult } from "./answer-stream"
import { BudgetConstraints } from "./budget/budget-constraints"
import { type BudgetInfo, budgetInfoOf } from "./budget/budget-info"
import { type Reconciliation, reconcileRequest } from "./budget/reconcile"
import { remainingIn } from "./budget/reserve-call"
import { UsageTracker } from "./budget/usage-tracker"
import { attachReceipt, ClientClosedError, NoMessagesError, UnexpectedError } from "./errors"
import { formatUsage } from "./format-usage"
import { firstMode } from "./generate/answer-modes"
import type { GenerateCall } from "./generate/attempt"
import { type GenerateOutcome, generate } from "./generate/generate"
import { estimateCall, planCall } from "./generate/plan-call"
import { countPrompt, type Prompt } from "./generate/prompt"
import { checkCallOptions, checkClientOptions, checkPlaces } from "./options/check-client-options"
import { type CallOptions, type LLMClientOptions, systemClock } from "./options/client-options"
import { type Route, Routes } from "./providers/routes"
import { type Receipt, sumReceipt } from "./receipt"

/** The last call, under the names of the guide. */
export interface CallMeta {
  requestId: string
  modelUsed: string | undefined
  responseTimeSeconds: number
  /** Input and output tokens of all attempts. */
  tokenCount: number
}

/**
 * Asks a model for a typed answer, and never lets a call cost more than its budget.
 *
 * @example
 * const client = new LLMClient({ model: "gpt-4o-mini", answerModel: z.object({ name: z.string() }), maxBudget: "0.05" })
 * client.msg.addMessageUser("Describe who is David Copperfield")
 * const { name } = await client.generateResponse()
 */
export class LLMClient<Answer = string> {
  readonly request: Request<Answer>
  /** The conversation. Each answer is added as the assistant's turn. */
  readonly msg: MessageBuilder
  readonly usageTracker: UsageTracker
  readonly #options: LLMClientOptions
  readonly #deadlines: GenerateCall["deadlines"]
  readonly #routes: Routes
  readonly #constraints: BudgetConstraints
  readonly #compiled: CompiledAnswer<Answer> | undefined
  /** What `close` waits for. */
  readonly #running = new Set<Promise<unknown>>()
  #receipt: Receipt | undefined
  #isClosed = false

  /**
   * Sends nothing and opens nothing.
   * @throws InvalidRequestError, InvalidArgumentError, UnknownModelError, UnsupportedSchemaError
   */
  constructor(request: Request<Answer> | RequestOptions<Answer>, options: LLMClientOptions = {}) {
    checkPlaces(request, options)
    checkClientOptions(options)
    this.request = Request.from<Answer>(request)
    this.#options = options
    const { connectMs = 10_000, firstContentMs = 60_000, idleMs = 30_000 } = options.deadlines ?? {}
    this.#deadlines = { connectMs, firstContentMs, idleMs }
    const { answerModel } = this.request
    this.#compiled = answerModel === undefined ? undefined : compileAnswer(answerModel as AnswerModel<Answer>)
    this.#routes = new Routes(this.request as Request<unknown>, options)
    this.#constraints = new BudgetConstraints(this.request as Request<unknown>, options)
    // Loads the tokenizer, which blocks for about 0.1 s once per process: not while a deadline runs.
    this.#routes.first.countInput([{ role: "user", content: "" }], {})
    this.msg = new MessageBuilder().addPrompt(this.request.messages as Message[])
    this.usageTracker = new UsageTracker(this.#constraints)
  }

  /** The receipt of the last call that ended; undefined before. */
  get receipt(): Receipt | undefined {
    return this.#receipt
  }

  /** The last call that ended, in short; undefined before. */
  get meta(): CallMeta | undefined {
    const receipt = this.#receipt
    if (receipt === undefined) return undefined
    return {
      requestId: receipt.requestId,
      modelUsed: receipt.attempts.at(-1)?.modelUsed,
      responseTimeSeconds: receipt.timings.totalMs / 1000,
      tokenCount: receipt.usage.inputTokens + receipt.usage.outputTokens,
    }
  }

  /** Input tokens of the next call as it would be sent, including the schema of the answer. 0 without messages. */
  countTokens(): number {
    const prompt = this.#prompt()
    return prompt.messages.length === 0 ? 0 : countPrompt(prompt).tokens
  }

  /** Most output tokens of the model; where the provider states no limit, its context window. */
  getMaxTokensForModel(): number {
    const { maxOutputTokens, contextWindow } = this.#routes.first.limits
    return maxOutputTokens ?? contextWindow
  }

  /** Limits of the model, in tokens. */
  getModelLimits(): {
    contextWindow: number
    maxInputTokens?: number | undefined
    maxOutputTokens?: number | undefined
  } {
    return { ...this.#routes.first.limits }
  }

  /** What the next call would cost, against `maxBudget` and every scope. Reads the store and changes nothing. */
  async getBudgetInfo(): Promise<BudgetInfo> {
    this.#checkOpen()
    const limits = await this.#constraints.status()
    const estimate = estimateCall(this.#prompt(), remainingIn(limits))
    return budgetInfoOf(this.request as Request<unknown>, estimate, limits)
  }

  /**
   * Sends the conversation and returns the answer.
   * @throws P2Error with the `receipt` of what the call cost.
   */
  async generateResponse(options: CallOptions = {}): Promise<Answer> {
    const result = await this.generate(options)
    if (!result.ok) throw result.error
    return result.answer
  }

  /**
   * Sends the conversation and returns the answer or the error, with the receipt.
   * @throws P2Error of kind `usage`, and no other. It has a `receipt` if attempts were made before.
   */
  async generate(options: CallOptions = {}): Promise<GenerateResult<Answer>> {
    const call = this.#beginCall(options)
    return await this.#waitFor(this.#run({ ...call, stream: this.request.stream, onText: undefined }))
  }

  /**
   * Sends the conversation and yields the answer as it grows; `result` is the validated answer with its receipt.
   * @throws P2Error of kind `usage` at once, except those that the budget finds: `result` rejects with them.
   */
  stream(options: CallOptions = {}): AnswerStream<Answer> {
    const call = this.#beginCall(options)
    const controller = new AbortController()
    const signal = call.signal === undefined ? controller.signal : AbortSignal.any([controller.signal, call.signal])
    return new AnswerStream<Answer>({
      compiled: this.#compiled,
      controller,
      start: (onText) => this.#waitFor(this.#run({ ...call, signal, stream: true, onText })),
    })
  }

  /** Dollars: the cost of the last call, or the estimate before any call. `receipt.costNanoUsd` is exact. */
  calculateCost(): number {
    return toUsdNumber(this.#receipt?.costNanoUsd ?? estimateCall(this.#prompt()).estimatedNanoUsd)
  }

  /** Prints the last call: model, time, tokens, prices, cost, budget. Never prints a key or content. */
  printUsageInfo(): void {
    console.log(this.#formatUsage())
  }

  /**
   * Corrects the cost of a request's attempts, in the ledger and the budgets, to what the provider reports afterwards
   * (OpenRouter only). `requestId` is that of the last call by default.
   */
  async reconcile(requestId: string | undefined = this.#receipt?.requestId): Promise<Reconciliation> {
    this.#checkOpen()
    return reconcileRequest(requestId, this.#constraints, this.#routes)
  }

  /** Waits for running calls and pending settlements, and closes what the client opened. */
  async close(): Promise<void> {
    this.#isClosed = true
    // A set iterates over what is added meanwhile, such as the release of a late reservation.
    for (const running of this.#running) await running.catch(() => {})
    await this.#constraints.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #prompt(route: Route = this.#routes.first): Prompt {
    return {
      request: this.request as Request<unknown>,
      route,
      messages: this.msg.getMessages(),
      compiled: this.#compiled as CompiledAnswer<unknown> | undefined,
      mode: firstMode(route, this.#compiled !== undefined),
    }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClientClosedError()
  }

  /** Throws usage errors, and copies the conversation: messages added later belong to the next call. */
  #beginCall(options: CallOptions) {
    this.#checkOpen()
    checkCallOptions(options)
    const messages = this.msg.getMessages()
    if (messages.length === 0) throw new NoMessagesError()
    this.#routes.checkKeys()
    // Throws when the cost of a fallback has no upper bound: now, and not when the first model has been paid.
    for (const route of this.#routes.fallbacks) planCall(this.#prompt(route), { remainingNanoUsd: undefined })
    return { messages, signal: options.signal, addAnswer: this.msg.openTurn() }
  }

  /** The client is not closed before this work has ended. */
  #waitFor<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work)
    return work.finally(() => this.#running.delete(work))
  }

  async #run(
    call: Pick<GenerateCall, "messages" | "signal" | "stream" | "onText"> & { addAnswer: (text: string) => void },
  ): Promise<GenerateResult<Answer>> {
    const outcome = await this.#generate(call)
    const { receipt } = outcome
    this.#receipt = receipt
    if (this.request.verbose) console.log(this.#formatUsage())
    if (outcome.status === "answered") {
      call.addAnswer(outcome.text)
      return { ok: true, answer: outcome.answer as Answer, receipt }
    }
    const error = attachReceipt(outcome.error, receipt)
    if (error.kind === "usage") throw error
    return { ok: false, error, receipt }
  }

  async #generate({
    messages,
    signal,
    stream,
    onText,
  }: Pick<GenerateCall, "messages" | "signal" | "stream" | "onText">): Promise<GenerateOutcome> {
    const { logger, recordContent = false, clock = systemClock } = this.#options
    const requestId = crypto.randomUUID()
    try {
      return await generate({
        requestId,
        request: this.request as Request<unknown>,
        routes: await this.#routes.open(),
        messages,
        compiled: this.#compiled as CompiledAnswer<unknown> | undefined,
        callBudget: await this.#constraints.open(),
        deadlines: this.#deadlines,
        signal,
        stream,
        onText,
        clock,
        logger,
        recordContent,
        waitFor: (work) => this.#waitFor(work),
      })
    } catch (error) {
      // Nothing was opened, so there was no attempt.
      const receipt = sumReceipt({ requestId, metadata: this.request.metadata }, [], {
        startedAt: clock.now(),
        totalMs: 0,
      })
      return { status: "failed", error: P2Error.isInstance(error) ? error : new UnexpectedError(error), receipt }
    }
  }

  #formatUsage(): string {
    const route = this.#routes.of(this.#receipt?.attempts.at(-1)?.model)
    return formatUsage(this.request as Request<unknown>, route, this.#receipt)
  }
}
