import type { RequestBudget } from "./budget-input"
import { checkRequestOptions } from "./check-request-options"
import type { Message } from "./messages"
import type { NanoUsd } from "./money"
import type { AnswerModel, RequestOptions } from "./request-options"

const MARK = Symbol.for("@p2/request")

/**
 * What is asked of a model, and what it may cost: validated when it is made, and frozen to its leaves.
 *
 * @example
 * const request = new Request({ model: "gpt-4o-mini", answerModel: z.object({ name: z.string() }), maxBudget: "0.05" })
 * const cheaper = request.with({ maxBudget: "0.01" })
 */
export class Request<Answer = string> {
  readonly model: string
  readonly answerModel: AnswerModel<Answer> | undefined
  readonly messages: readonly Message[]
  readonly temperature: number | undefined
  readonly topP: number | undefined
  readonly frequencyPenalty: number | undefined
  readonly presencePenalty: number | undefined
  readonly seed: number | undefined
  /** Always a list; undefined when nothing was given. */
  readonly stop: readonly string[] | undefined
  readonly maxTokens: number | undefined
  /** `maxBudget` in nano-USD; undefined: no limit on this request. */
  readonly maxBudgetNanoUsd: NanoUsd | undefined
  readonly userId: string | undefined
  readonly clientId: string | undefined
  readonly tags: Readonly<Record<string, string>>
  readonly userBudget: RequestBudget | undefined
  readonly clientBudget: RequestBudget | undefined
  readonly fallbacks: readonly string[]
  readonly online: boolean
  readonly cachePrompt: boolean
  readonly serviceTier: string
  readonly stream: boolean
  readonly timeoutMs: number
  readonly retries: number
  readonly repairs: number
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  readonly verbose: boolean
  /** The options as they were given, frozen: what {@link Request.with} starts from. */
  readonly options: Readonly<RequestOptions<Answer>>

  /** @throws InvalidRequestError that lists every wrong field. */
  constructor(options: RequestOptions<Answer>) {
    const checked = checkRequestOptions(options)
    const given = checked.options
    this.options = given
    this.model = given.model
    this.answerModel = given.answerModel
    this.messages = given.messages ?? Object.freeze([])
    this.temperature = given.temperature
    this.topP = given.topP
    this.frequencyPenalty = given.frequencyPenalty
    this.presencePenalty = given.presencePenalty
    this.seed = given.seed
    this.stop = typeof given.stop === "string" ? Object.freeze([given.stop]) : given.stop
    this.maxTokens = given.maxTokens
    this.maxBudgetNanoUsd = checked.maxBudgetNanoUsd
    this.userId = given.userId
    this.clientId = given.clientId
    this.tags = given.tags ?? Object.freeze({})
    this.userBudget = checked.userBudget
    this.clientBudget = checked.clientBudget
    this.fallbacks = given.fallbacks ?? Object.freeze([])
    this.online = given.online ?? false
    this.cachePrompt = given.cachePrompt ?? false
    this.serviceTier = given.serviceTier ?? "default"
    this.stream = given.stream ?? false
    this.timeoutMs = given.timeoutMs ?? 120_000
    this.retries = given.retries ?? 2
    this.repairs = given.repairs ?? 1
    this.metadata = given.metadata
    this.verbose = given.verbose ?? false
    Object.defineProperty(this, MARK, { value: true })
    Object.freeze(this)
  }

  /**
   * A new request with some options changed; `undefined` takes an option away. A new `answerModel` changes the type
   * of the answer.
   * @throws InvalidRequestError as the constructor does.
   */
  with<A = Answer>(changes: Partial<RequestOptions<A>>): Request<A> {
    return new Request<A>({ ...(this.options as unknown as RequestOptions<A>), ...changes })
  }

  /** Whether `value` is a request, from whichever copy (ESM or CommonJS) of this package. */
  static isInstance(value: unknown): value is Request<unknown> {
    return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[MARK] === true
  }

  /** The request itself, or a request made of plain options. */
  static from<A = string>(value: Request<A> | RequestOptions<A>): Request<A> {
    return Request.isInstance(value) ? (value as Request<A>) : new Request<A>(value as RequestOptions<A>)
  }
}
