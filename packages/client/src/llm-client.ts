import type { Budget } from "@p2/budget"
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
import type { BudgetInfo } from "./budget-info"
import { ClientClosedError, NoMessagesError, UnexpectedError } from "./client-errors"
import type { ClientClock, LLMClientOptions } from "./client-options"
import { firstMode } from "./internal/answer-modes"
import { attachReceipt } from "./internal/attach-receipt"
import { budgetInfoOf, leftIn } from "./internal/budget-info-of"
import { type Ask, inputOf } from "./internal/chat-body"
import { CALL, checkClientOptions } from "./internal/check-client-options"
import { estimateOf } from "./internal/estimate"
import { RouteBook } from "./internal/open-routes"
import { checkEach } from "./internal/option-rules"
import type { Route } from "./internal/route"
import { runRequest } from "./internal/run-request"
import type { RunSetting } from "./internal/run-setting"
import { systemClock } from "./internal/system-clock"
import { usageText } from "./internal/usage-text"
import { Wallet } from "./internal/wallet"
import type { Receipt } from "./receipt"
import { type Reconciliation, reconcileRequest } from "./reconcile"
import { UsageTracker } from "./usage-tracker"

/** What a call says, and how its answer becomes a turn of the conversation. */
interface Asked {
  messages: Message[]
  signal: AbortSignal | undefined
  remember: (answer: string) => void
}

/** One call as it is started. */
type Call = Asked & Pick<RunSetting, "stream" | "onContent">

/** What a call may be given. */
export interface CallOptions {
  /** Ends the call; it is settled at once. */
  signal?: AbortSignal | undefined
}

/** The last call in a few words, as the guide has them. */
export interface CallMeta {
  requestId: string
  modelUsed: string | undefined
  responseTimeSeconds: number
  /** Input and output of all attempts. */
  tokenCount: number
}

/**
 * Asks a model for a typed answer, and never lets it cost more than was allowed.
 *
 * @example
 * const client = new LLMClient({ model: "gpt-4o-mini", answerModel: z.object({ name: z.string() }), maxBudget: "0.05" })
 * client.msg.addMessageUser("Describe who is David Copperfield")
 * const { name } = await client.generateResponse()
 */
export class LLMClient<Answer = string> {
  readonly request: Request<Answer>
  /** The conversation, in the order of the calls. An answer is added as the assistant's turn. */
  readonly msg: MessageBuilder
  readonly usageTracker: UsageTracker
  readonly #options: LLMClientOptions
  readonly #clock: ClientClock
  readonly #routes: RouteBook
  readonly #wallet: Wallet
  readonly #compiled: CompiledAnswer<Answer> | undefined
  readonly #deadlines: RunSetting["deadlines"]
  readonly #running = new Set<Promise<unknown>>()
  #last: Receipt | undefined
  #closed = false

  /**
   * @throws InvalidRequestError, InvalidArgumentError, UnknownModelError, UnsupportedSchemaError: mistakes are found
   * here, before any money.
   */
  constructor(request: Request<Answer> | RequestOptions<Answer>, options: LLMClientOptions = {}) {
    checkClientOptions(options)
    this.request = Request.from<Answer>(request)
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const { connectMs = 10_000, firstContentMs = 60_000, idleMs = 30_000 } = options.deadlines ?? {}
    this.#deadlines = { connectMs, firstContentMs, idleMs }
    const { answerModel } = this.request
    this.#compiled = answerModel === undefined ? undefined : compileAnswer(answerModel as AnswerModel<Answer>)
    this.#routes = new RouteBook(this.request as Request<unknown>, options)
    this.#wallet = new Wallet(this.request as Request<unknown>, options)
    // Now, and not while a deadline runs: once in a process the tokenizer is unfolded, which nothing can interrupt.
    this.#routes.first.countInput({ messages: [{ role: "user", content: "" }], structure: {} })
    this.msg = new MessageBuilder().addPrompt(this.request.messages as Message[])
    this.usageTracker = new UsageTracker(this.#wallet)
  }

  /** Receipt of the last call that ended; undefined before. */
  get receipt(): Receipt | undefined {
    return this.#last
  }

  /** The last call in a few words; undefined before. */
  get meta(): CallMeta | undefined {
    const receipt = this.#last
    if (receipt === undefined) return undefined
    return {
      requestId: receipt.requestId,
      modelUsed: receipt.attempts.at(-1)?.modelUsed,
      responseTimeSeconds: receipt.timings.totalMs / 1000,
      tokenCount: receipt.usage.inputTokens + receipt.usage.outputTokens,
    }
  }

  /** Input tokens of the next call as it would be sent, the schema of the answer included. 0 without messages. */
  countTokens(): number {
    const ask = this.#ask()
    if (ask.messages.length === 0) return 0
    return inputOf(ask).tokens
  }

  /** Most output tokens of the model; where the provider states none, its context window. */
  getMaxTokensForModel(): number {
    const { maxOutputTokens, contextWindow } = this.#routes.first.limits
    return maxOutputTokens ?? contextWindow
  }

  /** Context window and limits of the model, in tokens. */
  getModelLimits(): {
    contextWindow: number
    maxInputTokens?: number | undefined
    maxOutputTokens?: number | undefined
  } {
    return { ...this.#routes.first.limits }
  }

  /** What the next call would cost, against what it may: the request's own budget and every scope. Reads the store, changes nothing. */
  async getBudgetInfo(): Promise<BudgetInfo> {
    this.#checkOpen()
    const limits = await this.#wallet.status()
    return budgetInfoOf(this.request as Request<unknown>, estimateOf(this.#ask(), leftIn(limits)), limits)
  }

  /**
   * Asks, and returns the answer.
   * @throws P2Error with the `receipt` of what was spent until then.
   */
  async generateResponse(options: CallOptions = {}): Promise<Answer> {
    const result = await this.generate(options)
    if (!result.ok) throw result.error
    return result.answer
  }

  /** Asks, and returns how it ended, with the receipt. Throws mistakes only (no messages, no key). */
  async generate(options: CallOptions = {}): Promise<GenerateResult<Answer>> {
    const asked = this.#checkReady(options)
    return await this.#keep(this.#call({ ...asked, stream: this.request.stream, onContent: undefined }))
  }

  /** Asks, and yields the answer as it grows; `result` is the validated answer with its receipt. Throws mistakes at once. */
  stream(options: CallOptions = {}): AnswerStream<Answer> {
    const asked = this.#checkReady(options)
    const controller = new AbortController()
    const { signal: own } = controller
    const signal = asked.signal === undefined ? own : AbortSignal.any([own, asked.signal])
    return new AnswerStream<Answer>({
      compiled: this.#compiled,
      controller,
      start: (onText) => this.#keep(this.#call({ ...asked, signal, stream: true, onContent: onText })),
    })
  }

  /** Dollars: the cost of the last call, or before any call the estimate. The exact figure is `receipt.costNanoUsd`. */
  calculateCost(): number {
    return toUsdNumber(this.#last?.costNanoUsd ?? estimateOf(this.#ask()).likelyNanoUsd)
  }

  /** Prints the last call for people: model, time, tokens, prices, cost, budget. Never a key, never content. */
  printUsageInfo(): void {
    console.log(this.#usageText())
  }

  /**
   * Asks the provider what the attempts of a request really cost, where it can tell later (OpenRouter), and corrects
   * the ledger and the budgets.
   */
  async reconcile(requestId: string | undefined = this.#last?.requestId): Promise<Reconciliation> {
    this.#checkOpen()
    return reconcileRequest(requestId, this.#wallet, this.#routes)
  }

  /** Waits for running calls and pending settlements, and closes what the client opened itself. */
  async close(): Promise<void> {
    this.#closed = true
    // A call that ends may leave something to wait for.
    for (const running of this.#running) await running.catch(() => {})
    await this.#wallet.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #ask(): Ask {
    const route = this.#routes.first
    return {
      request: this.request as Request<unknown>,
      route,
      messages: this.msg.getMessages(),
      compiled: this.#compiled as CompiledAnswer<unknown> | undefined,
      mode: firstMode(route, this.#compiled !== undefined),
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClientClosedError()
  }

  /** Throws mistakes, and takes the messages: what is added later belongs to the next call, and stands behind the answer. */
  #checkReady(options: CallOptions): Asked {
    this.#checkOpen()
    checkEach(options, CALL, "options")
    const messages = this.msg.getMessages()
    if (messages.length === 0) throw new NoMessagesError()
    this.#routes.checkKeys()
    return { messages, signal: options.signal, remember: this.msg.openTurn() }
  }

  /** The client is not closed before this has ended. */
  #keep<T>(running: Promise<T>): Promise<T> {
    this.#running.add(running)
    return running.finally(() => this.#running.delete(running))
  }

  async #call(call: Call): Promise<GenerateResult<Answer>> {
    try {
      const routes = await this.#routes.open()
      const budget = await this.#wallet.open()
      const result = await runRequest(this.#settingOf(call, routes, budget))
      const { receipt } = result
      this.#last = receipt
      if (this.request.verbose) console.log(this.#usageText())
      if (!result.ok) return { ok: false, error: attachReceipt(result.error, receipt), receipt }
      call.remember(result.text)
      return { ok: true, answer: result.answer as Answer, receipt }
    } catch (error) {
      throw P2Error.isInstance(error) ? error : new UnexpectedError(error)
    }
  }

  /** Written out, because V8 is slow with a large object that begins as the copy of another. */
  #settingOf({ messages, signal, stream, onContent }: Call, routes: readonly Route[], budget: Budget): RunSetting {
    const { logger, recordContent = false } = this.#options
    const { subject, limits } = this.#wallet
    return {
      requestId: crypto.randomUUID(),
      request: this.request as Request<unknown>,
      routes,
      messages,
      compiled: this.#compiled as CompiledAnswer<unknown> | undefined,
      budget,
      subject,
      limits,
      deadlines: this.#deadlines,
      signal,
      stream,
      onContent,
      clock: this.#clock,
      logger,
      keep: (work) => this.#keep(work),
      recordContent,
    }
  }

  #usageText(): string {
    return usageText(this.request as Request<unknown>, this.#routes.of(this.#last?.attempts.at(-1)?.model), this.#last)
  }
}
