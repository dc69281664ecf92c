import { InvalidArgumentError, type Message, type MessageBuilder, type RequestOptions } from "@p2/core"
import type { AnswerStream } from "../answer-stream"
import type { MapOptions, MapResult } from "../batch/map-items"
import type { BudgetInfo } from "../budget/budget-info"
import type { GenerateResult } from "../generate/generate-call"
import type { CallOptions, LLMClientOptions } from "../options/client-options"
import type { ToolSet } from "../steps/tool"
import { withoutReasoning } from "../steps/tool-messages"
import { type RunLimit, type RunReceipt, RunScope } from "./run-scope"

/** The fields of the request that a fork may change. Its subject and budgets are those of the client. */
export type ForkChanges<Answer> = Partial<
  Omit<RequestOptions<Answer>, "userId" | "clientId" | "tags" | "userBudget" | "clientBudget">
>

/** The tools of a fork. With other `tools`, `toolChoice` is not inherited. */
export type ForkOptions<Tools extends ToolSet | undefined> = Pick<
  LLMClientOptions<Tools>,
  "tools" | "toolChoice" | "maxSteps"
>

const FIXED = ["userId", "clientId", "tags", "userBudget", "clientBudget"]

/** The client of a run, which every call goes through. */
interface RunClient<Answer, Tools extends ToolSet | undefined> {
  readonly msg: MessageBuilder
  generate(options: CallOptions): Promise<GenerateResult<Answer, Tools>>
  generateResponse(options: CallOptions): Promise<Answer>
  stream(options: CallOptions): AnswerStream<Answer, Tools>
  map<Item>(items: Iterable<Item>, options: MapOptions<Item>): Promise<MapResult<Answer>[]>
  getBudgetInfo(): Promise<BudgetInfo>
}

/** Creates a run that begins with the request of the client and these changes. */
type CreateRun = <A, T extends ToolSet | undefined>(
  scope: RunScope,
  changes: ForkChanges<A>,
  options: ForkOptions<T>,
) => Run<A, T>

/**
 * Several calls under one budget: everything that the run, its forks and its children spend counts against its `maxBudget`, in
 * the store, so that concurrent calls cannot overspend it. The request's `maxBudget` still applies to each call.
 * Created by `client.run()`.
 *
 * @example
 * const run = client.run({ maxBudget: "0.50" })
 * const draft = await run.generateResponse()
 * const review = run.fork({ model: "gpt-4o", messages: [{ role: "user", content: `Review this: ${draft}` }] })
 * await review.generateResponse()
 * const { costNanoUsd } = await run.finish()
 */
export class Run<Answer = string, Tools extends ToolSet | undefined = undefined> {
  readonly #client: RunClient<Answer, Tools>
  readonly #scope: RunScope
  readonly #create: CreateRun

  /** @internal Created by `client.run()`. */
  constructor(client: RunClient<Answer, Tools>, scope: RunScope, create: CreateRun) {
    this.#client = client
    this.#scope = scope
    this.#create = create
  }

  /** Identifies the run's counter. */
  get id(): string {
    return this.#scope.id
  }

  /** The conversation: that of the client for `client.run()`, otherwise the run's own. */
  get msg(): MessageBuilder {
    return this.#client.msg
  }

  /** Like `client.generate()`. @throws RunFinishedError; P2Error of kind `usage` */
  generate(options: CallOptions = {}): Promise<GenerateResult<Answer, Tools>> {
    return this.#client.generate(options)
  }

  /** Like `client.generateResponse()`. @throws RunFinishedError; P2Error with the call's `receipt` */
  generateResponse(options: CallOptions = {}): Promise<Answer> {
    return this.#client.generateResponse(options)
  }

  /** Like `client.stream()`. @throws RunFinishedError; P2Error of kind `usage` */
  stream(options: CallOptions = {}): AnswerStream<Answer, Tools> {
    return this.#client.stream(options)
  }

  /** Like `client.map()`. @throws RunFinishedError; P2Error of kind `usage` */
  map<Item>(items: Iterable<Item>, options: MapOptions<Item> = {}): Promise<MapResult<Answer>[]> {
    return this.#client.map(items, options)
  }

  /** Like `client.getBudgetInfo()`, with the limit of the run among the scopes. */
  getBudgetInfo(): Promise<BudgetInfo> {
    return this.#client.getBudgetInfo()
  }

  /**
   * The same run with another model, other messages or other tools. Without `messages`, it begins with a copy of the
   * conversation. It shares the budget and the receipt of the run.
   * @throws RunFinishedError, InvalidRequestError, InvalidArgumentError
   */
  fork<A = Answer, T extends ToolSet | undefined = Tools>(
    changes: ForkChanges<A> = {},
    options: ForkOptions<T> = {},
  ): Run<A, T> {
    this.#scope.checkOpen()
    for (const name of FIXED)
      if (name in changes)
        throw new InvalidArgumentError(
          `changes.${name}`,
          "an option that a fork may change",
          undefined,
          `A fork cannot change \`${name}\`: its calls count for the client's subject. Create another client, and set a shared limit with \`withBudget\`.`,
        )
    // Another provider may reject the reasoning of this one.
    const copied = () => this.msg.getMessages().map((each) => (changes.model == null ? each : withoutReasoning(each)))
    const messages = changes.messages ?? (copied() as readonly Message[])
    return this.#create<A, T>(this.#scope, { ...changes, messages }, options)
  }

  /**
   * A run inside this one, for a sub-agent: its calls count against both budgets. It begins with the messages of the request.
   * @throws RunFinishedError, InvalidArgumentError
   */
  child(limit: RunLimit): Run<Answer, Tools> {
    this.#scope.checkOpen()
    return this.#create<Answer, Tools>(new RunScope(limit, this.#scope), {}, {})
  }

  /** The sum of the calls that have ended, including those of forks and children. */
  receipt(): RunReceipt {
    return this.#scope.receipt()
  }

  /** Rejects further calls, waits for running ones, and returns the receipt of the run. */
  async finish(): Promise<RunReceipt> {
    await this.#scope.finish()
    return this.#scope.receipt()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish()
  }
}
