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
import { AnswerStream } from "./answer-stream"
import { type BatchItem, openBatch } from "./batch/batch"
import type { MapOptions, MapResult } from "./batch/map-items"
import { mapItems, promptsOf } from "./batch/map-items"
import { type BudgetInfo, budgetInfoOf, estimateOf } from "./budget/budget-info"
import { LazyBudget } from "./budget/lazy-budget"
import { type Reconciliation, reconcileRequest } from "./budget/reconcile"
import { UsageTracker } from "./budget/usage-tracker"
import {
  attachReceipt,
  ClientClosedError,
  type ErrorWithReceipt,
  NoMessagesError,
  ToolCallsReturnedError,
  UnexpectedError,
} from "./errors"
import { formatUsage } from "./format-usage"
import { firstSettings } from "./generate/attempt-settings"
import type { GenerateCall, GenerateResult, PlanInput } from "./generate/generate-call"
import { countInput, planAttempt, planWithinLimits } from "./generate/plan-attempt"
import { runAttempts } from "./generate/run-attempts"
import { checkCallOptions, checkClientOptions, checkMapOptions, checkPlaces } from "./options/check-client-options"
import { type CallOptions, type LLMClientOptions, systemClock } from "./options/client-options"
import { Routes } from "./providers/routes"
import { type Receipt, sumReceipt } from "./receipt"
import { type ForkChanges, type ForkOptions, Run } from "./runs/run"
import { type RunLimit, RunScope } from "./runs/run-scope"
import { type CompiledTools, compileTools } from "./steps/compiled-tools"
import type { ToolSet } from "./steps/tool"
import { withAnsweredCalls } from "./steps/tool-messages"

/** What the clients of a run share with the client that started it. */
interface RunMembership {
  scope: RunScope
  budget: LazyBudget
  /** Undefined: the member has its own. */
  conversation: MessageBuilder | undefined
  /** @throws ClientClosedError, RunFinishedError */
  checkOpen(): void
  /** Makes `close` and `finish` wait for this work. */
  waitFor<T>(work: Promise<T>): Promise<T>
}

/** A call before its budget is open. */
interface BegunCall extends Pick<GenerateCall, "signal" | "wait" | "onText" | "addTurn"> {
  input: PlanInput
}

/** Summary of the last call. */
export interface CallMeta {
  requestId: string
  modelUsed: string | undefined
  responseTimeSeconds: number
  /** Input and output tokens of all attempts. */
  tokenCount: number
}

/**
 * Gets typed answers from a model, and never lets a call cost more than its budget.
 *
 * @example
 * const client = new LLMClient({ model: "gpt-4o-mini", answerModel: z.object({ name: z.string() }), maxBudget: "0.05" })
 * client.msg.addMessageUser("Describe who is David Copperfield")
 * const { name } = await client.generateResponse()
 */
export class LLMClient<Answer = string, Tools extends ToolSet | undefined = undefined> {
  readonly request: Request<Answer>
  /** The conversation. Each answer is added as the assistant's turn, after the tool calls and results that led to it. */
  readonly msg: MessageBuilder
  readonly usageTracker: UsageTracker
  readonly #options: LLMClientOptions
  readonly #deadlines: GenerateCall["deadlines"]
  readonly #routes: Routes
  readonly #budget: LazyBudget
  readonly #compiledAnswer: CompiledAnswer<Answer> | undefined
  readonly #tools: CompiledTools | undefined
  readonly #membership: RunMembership | undefined
  /** Work that `close` waits for. */
  readonly #running = new Set<Promise<unknown>>()
  #receipt: Receipt | undefined
  #isClosed = false

  /**
   * Sends nothing and opens nothing.
   * @param membership only for the clients that a run creates
   * @throws InvalidRequestError, InvalidArgumentError, UnknownModelError, UnsupportedSchemaError
   */
  constructor(
    request: Request<Answer> | RequestOptions<Answer>,
    options: LLMClientOptions<Tools> = {},
    /** @internal */ membership?: RunMembership,
  ) {
    checkPlaces(request, options)
    checkClientOptions(options)
    this.request = Request.from<Answer>(request)
    // The tools are compiled below; nothing else depends on their types.
    const shared = options as LLMClientOptions
    this.#options = shared
    const { connectMs = 10_000, firstContentMs = 60_000, idleMs = 30_000 } = options.deadlines ?? {}
    this.#deadlines = { connectMs, firstContentMs, idleMs }
    const { answerModel } = this.request
    this.#compiledAnswer = answerModel === undefined ? undefined : compileAnswer(answerModel as AnswerModel<Answer>)
    this.#tools = compileTools(options, this.#compiledAnswer as CompiledAnswer<unknown> | undefined)
    this.#routes = new Routes(this.request as Request<unknown>, shared)
    this.#membership = membership
    this.#budget = membership?.budget ?? new LazyBudget(this.request as Request<unknown>, shared)
    // Loads the tokenizer now, because that blocks for about 0.1 s once per process and a deadline may run later.
    this.#routes.first.countInput([{ role: "user", content: "" }], {})
    this.msg = membership?.conversation ?? new MessageBuilder().addPrompt(this.request.messages as Message[])
    this.usageTracker = new UsageTracker(this.#budget)
  }

  /** The receipt of the last call that ended; undefined before the first one. */
  get receipt(): Receipt | undefined {
    return this.#receipt
  }

  /** Summary of the last call that ended; undefined before the first one. */
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
    const call = this.#nextCall()
    return call.messages.length === 0 ? 0 : countInput(call, firstSettings(call)).tokens
  }

  /** The model's limit on output tokens, or its context window if the provider states no limit. */
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

  /** Compares the estimate and the upper bound of the next call with `maxBudget` and every scope. Only reads the store. */
  async getBudgetInfo(): Promise<BudgetInfo> {
    this.#checkOpen()
    const { budget, subject, limits: requestLimits } = await this.#openBudget()
    const limits = await budget.status({ ...subject, model: this.request.model }, { limits: requestLimits })
    const call = this.#nextCall()
    return budgetInfoOf(call.request, planWithinLimits(call, firstSettings(call), limits), limits)
  }

  /**
   * Sends the conversation and returns the answer.
   * @throws P2Error with the call's `receipt`. ToolCallsReturnedError if the model called tools that were not run.
   */
  async generateResponse(options: CallOptions = {}): Promise<Answer> {
    const result = await this.#start(this.#beginCall(options))
    if (!result.ok) throw result.error
    if (result.finishReason !== "tool-calls") return result.answer
    const names = namesOf(result.toolCalls)
    throw attachReceipt(new ToolCallsReturnedError(names, this.#tools?.maxSteps ?? 1), result.receipt)
  }

  /**
   * Sends the conversation and returns the answer or the error, with the receipt.
   * @throws P2Error of kind `usage` only. It has a `receipt` if the call had begun.
   */
  async generate(options: CallOptions = {}): Promise<GenerateResult<Answer, Tools>> {
    return this.#start(this.#beginCall(options)) as Promise<GenerateResult<Answer, Tools>>
  }

  /**
   * Sends the conversation and yields the answer as it grows; `result` is the validated answer with its receipt.
   * @throws P2Error of kind `usage`. If the budget finds the usage error, `result` rejects instead.
   */
  stream(options: CallOptions = {}): AnswerStream<Answer, Tools> {
    const call = this.#beginCall(options)
    const input = { ...call.input, stream: true }
    const controller = new AbortController()
    const signal = call.signal === undefined ? controller.signal : AbortSignal.any([controller.signal, call.signal])
    return new AnswerStream<Answer, Tools>({
      compiled: this.#compiledAnswer,
      controller,
      start: async (onText) =>
        this.#start({ ...call, input, onText, signal }) as Promise<GenerateResult<Answer, Tools>>,
    })
  }

  /**
   * Starts a run: several calls, with other models, messages and tools, under one budget and with one receipt.
   * @throws InvalidArgumentError, ClientClosedError
   */
  run(limit: RunLimit): Run<Answer, Tools> {
    this.#checkOpen()
    return this.#createRun<Answer, Tools>(new RunScope(limit, undefined), undefined, {})
  }

  /** A run with its own client. Without changes that has the conversation of this client. */
  #createRun<A, T extends ToolSet | undefined>(
    scope: RunScope,
    changes: ForkChanges<A> | undefined,
    { tools, toolChoice, maxSteps }: ForkOptions<T>,
  ): Run<A, T> {
    const given = {
      ...(tools === undefined ? {} : { tools, toolChoice }),
      ...(toolChoice === undefined ? {} : { toolChoice }),
      ...(maxSteps === undefined ? {} : { maxSteps }),
    }
    const request = (this.request as unknown as Request<A>).with<A>(changes ?? {})
    const merged = { ...(this.#options as unknown as LLMClientOptions<T>), ...given }
    const client = new LLMClient<A, T>(request, merged, {
      scope,
      budget: this.#budget,
      conversation: changes === undefined ? this.msg : undefined,
      checkOpen: () => {
        this.#checkOpen()
        scope.checkOpen()
      },
      waitFor: (work) => this.#waitFor(scope.track(work)),
    })
    return new Run<A, T>(client, scope, (...created) => client.#createRun(...created))
  }

  /**
   * Calls the model once for each item, after the conversation, which stays as it is. The results are in the order of the items,
   * and a call that fails does not reject the promise. Stops at the first denial that waiting cannot resolve.
   *
   * @example
   * const results = await client.map(documents, { concurrency: 20, maxBudget: "0.05", idempotencyKey: "labels-2026-11" })
   * for (const result of results) if (result.status === "answered") console.log(result.answer)
   *
   * @throws P2Error of kind `usage`, before anything is sent; StoreError if the ledger of an earlier run cannot be read
   */
  async map<Item>(items: Iterable<Item>, options: MapOptions<Item> = {}): Promise<MapResult<Answer>[]> {
    this.#checkOpen()
    checkMapOptions(items, options)
    return this.#waitFor(this.#map([...items], options))
  }

  async #map<Item>(items: readonly Item[], options: MapOptions<Item>): Promise<MapResult<Answer>[]> {
    const {
      wait = this.#options.wait ?? { timeoutMs: Math.floor(this.request.timeoutMs / 2) },
      maxBudget,
      signal,
    } = options
    const prompts = promptsOf(items, options.prompt)
    const call = this.#nextCall()
    const plans = prompts.map((messages) => ({ ...call, messages: [...call.messages, ...messages] }))
    if (plans.length === 0) return []
    this.#checkCall(plans[0]!)
    const opened = await this.#openBudget()
    const name = options.idempotencyKey
    const decisive = [this.request.system, call.compiled?.instructions, ...call.routes.map(({ model }) => model)]
    const conversations = plans.map(({ messages }) => messages)
    const batch = await openBatch(opened, { name, maxBudget, decisive, conversations })
    const results = await Promise.all(batch.map((item, index) => this.#resumed(index, item)))
    const callItem = async (index: number) => {
      const begun = { input: plans[index]!, signal, wait, onText: undefined, addTurn: () => {} }
      const result = await this.#run(begun, batch[index]!).catch((error: unknown) => failureOf(error))
      const { receipt } = result
      if (!result.ok) return { index, status: "failed" as const, error: result.error, receipt }
      if (result.finishReason !== "tool-calls")
        return { index, status: "answered" as const, answer: result.answer as Answer, receipt }
      const error = new ToolCallsReturnedError(namesOf(result.toolCalls), this.#tools?.maxSteps ?? 1)
      return { index, status: "failed" as const, error: attachReceipt(error, receipt), receipt }
    }
    return mapItems<Answer>(results, callItem, options)
  }

  /** The answer of an earlier run of the batch; undefined if there is none that fits the schema. */
  async #resumed(index: number, { requestId, earlier }: BatchItem): Promise<MapResult<Answer> | undefined> {
    if (earlier?.text === undefined) return undefined
    const { text, costNanoUsd } = earlier
    const parsed =
      this.#compiledAnswer === undefined
        ? { ok: true as const, answer: text as Answer }
        : await this.#compiledAnswer.parseAsync(text)
    return parsed.ok ? { index, status: "resumed", answer: parsed.answer, requestId, costNanoUsd } : undefined
  }

  /** The cost of the last call in dollars, or the estimate before the first call. `receipt.costNanoUsd` is exact. */
  calculateCost(): number {
    if (this.#receipt !== undefined) return toUsdNumber(this.#receipt.costNanoUsd)
    const call = this.#nextCall()
    return toUsdNumber(estimateOf(planWithinLimits(call, firstSettings(call), [])))
  }

  /** Prints the model, time, tokens, prices, cost and budget of the last call. Never prints a key or content. */
  printUsageInfo(): void {
    console.log(this.#formatUsage())
  }

  /**
   * Corrects the cost of a request's attempts, in the ledger and the budgets, to what the provider reports afterwards
   * (OpenRouter only). `requestId` defaults to that of the last call.
   */
  async reconcile(requestId: string | undefined = this.#receipt?.requestId): Promise<Reconciliation> {
    this.#checkOpen()
    return reconcileRequest(requestId, this.#budget, this.#routes, (this.#options.clock ?? systemClock).now)
  }

  /** Waits for running calls and pending settlements, and closes what the client opened. */
  async close(): Promise<void> {
    this.#isClosed = true
    // The loop also visits work that is added while it waits, such as the release of a late reservation.
    for (const running of this.#running) await running.catch(() => {})
    await this.#budget.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What decides the plan of the next call. */
  #nextCall(): PlanInput {
    return {
      request: this.request as Request<unknown>,
      compiled: this.#compiledAnswer as CompiledAnswer<unknown> | undefined,
      messages: withAnsweredCalls(this.msg.getMessages()),
      routes: this.#routes.all,
      stream: this.request.stream,
      tools: this.#tools,
    }
  }

  #checkOpen(): void {
    this.#membership?.checkOpen()
    if (this.#isClosed) throw new ClientClosedError()
  }

  /** The budget of the client, with the limits of its run. */
  #openBudget(): ReturnType<LazyBudget["open"]> {
    const opening = this.#budget.open()
    const scope = this.#membership?.scope
    return scope === undefined ? opening : opening.then((opened) => ({ ...opened, budget: scope.limit(opened.budget) }))
  }

  /** Throws usage errors, and copies the conversation: messages added later belong to the next call. */
  #beginCall(options: CallOptions): BegunCall {
    this.#checkOpen()
    checkCallOptions(options)
    const input = this.#nextCall()
    this.#checkCall(input)
    const { signal, wait = this.#options.wait } = options
    return { input, signal, wait, onText: undefined, addTurn: this.msg.openTurn() }
  }

  #checkCall(call: PlanInput): void {
    if (call.messages.length === 0) throw new NoMessagesError()
    this.#routes.checkKeys()
    // Throws if the cost of a fallback has no upper bound, before the first model is paid.
    for (let index = 1; index < call.routes.length; index++)
      planAttempt(call, firstSettings(call, { routeIndex: index }), undefined)
  }

  /** Runs a call, and makes `close` wait for it. */
  #start(call: BegunCall): Promise<GenerateResult<Answer, ToolSet | undefined>> {
    return this.#waitFor(this.#run(call))
  }

  /** Makes `close` wait for this work. */
  #waitFor<T>(work: Promise<T>): Promise<T> {
    if (this.#membership !== undefined) return this.#membership.waitFor(work)
    this.#running.add(work)
    const end = () => this.#running.delete(work)
    work.then(end, end)
    return work
  }

  async #run(call: BegunCall, item?: BatchItem): Promise<GenerateResult<Answer, ToolSet | undefined>> {
    const { charge: chargeOptions, onAlert, logger, recordContent = false, clock = systemClock } = this.#options
    const { input, signal, wait, onText, addTurn } = call
    const requestId = item?.requestId ?? crypto.randomUUID()
    let result: GenerateResult<unknown, ToolSet | undefined>
    try {
      const instances = await this.#routes.connect()
      const { budget, subject, limits } = item ?? (await this.#openBudget())
      result = await runAttempts({
        requestId,
        firstAttempt: item?.firstAttempt ?? 1,
        isResumable: item?.isResumable ?? false,
        request: input.request,
        routes: input.routes,
        instances,
        messages: input.messages,
        compiled: input.compiled,
        tools: input.tools,
        stream: input.stream,
        budget,
        subject,
        limits,
        chargeOptions,
        wait,
        onAlert,
        deadlines: this.#deadlines,
        signal,
        onText,
        addTurn,
        clock,
        logger,
        recordContent,
        waitFor: (work) => this.#waitFor(work),
      })
    } catch (cause) {
      // The store or the `openai` package could not be opened.
      const times = { startedAt: clock.now(), totalMs: 0 }
      const nothing = { attempts: [], toolCalls: [] }
      const receipt = sumReceipt({ requestId, metadata: this.request.metadata }, nothing, times)
      const error = P2Error.isInstance(cause) ? cause : new UnexpectedError(cause)
      result = { ok: false, error: attachReceipt(error, receipt), receipt }
    }
    this.#receipt = result.receipt
    this.#membership?.scope.record(result.receipt)
    if (this.request.verbose) console.log(this.#formatUsage())
    if (!result.ok && (result.error as P2Error).kind === "usage") throw result.error
    return result as GenerateResult<Answer, ToolSet | undefined>
  }

  #formatUsage(): string {
    const route = this.#routes.of(this.#receipt?.attempts.at(-1)?.model)
    return formatUsage(this.request as Request<unknown>, route, this.#receipt)
  }
}

function namesOf(calls: readonly { name: string }[]): string[] {
  return calls.map(({ name }) => name)
}

/** The result of an item whose call threw a usage error. */
function failureOf(error: unknown): { ok: false; error: ErrorWithReceipt; receipt: Receipt } {
  const failure = error as ErrorWithReceipt
  if (failure?.receipt === undefined) throw error
  return { ok: false, error: failure, receipt: failure.receipt }
}
