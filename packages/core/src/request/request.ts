import type { AnswerModel } from "../answer/schema/answer-model"
import { InvalidArgumentError } from "../errors"
import type { Message } from "../messages/message"
import type { NanoUsd } from "../money"
import { isOptionsObject } from "../options/check-options"
import type { RequestBudget } from "./budget-input"
import { checkRequestOptions } from "./check-request-options"
import type { ReasoningEffort, RequestOptions } from "./request-options"

const MARK = Symbol.for("@p2/request")

/**
 * A request to a model, with a limit on its cost. The constructor validates it and freezes it deeply.
 *
 * @example
 * const request = new Request({ model: "gpt-4o-mini", answerModel: z.object({ name: z.string() }), maxBudget: "0.05" })
 * const cheaper = request.with({ maxBudget: "0.01" })
 */
export class Request<Answer = string> {
  declare readonly model: string
  declare readonly answerModel: AnswerModel<Answer> | undefined
  declare readonly system: string | undefined
  declare readonly messages: readonly Message[]
  declare readonly history: { readonly maxTokens: number } | undefined
  declare readonly temperature: number | undefined
  declare readonly topP: number | undefined
  declare readonly frequencyPenalty: number | undefined
  declare readonly presencePenalty: number | undefined
  declare readonly seed: number | undefined
  /** Always an array, even for a single string. */
  declare readonly stop: readonly string[] | undefined
  declare readonly maxTokens: number | undefined
  declare readonly onTruncated: "return" | "error"
  declare readonly reasoningEffort: ReasoningEffort | undefined
  declare readonly verbosity: "low" | "medium" | "high" | undefined
  declare readonly extraBody: Readonly<Record<string, unknown>>
  /** `extraCost` in nano-USD; undefined if it is not stated. */
  declare readonly extraCostNanoUsd: NanoUsd | undefined
  declare readonly extraHeaders: Readonly<Record<string, string>>
  /** `maxBudget` in nano-USD; undefined if this request has no limit. */
  declare readonly maxBudgetNanoUsd: NanoUsd | undefined
  declare readonly userId: string | undefined
  declare readonly clientId: string | undefined
  declare readonly tags: Readonly<Record<string, string>>
  declare readonly userBudget: RequestBudget | undefined
  declare readonly clientBudget: RequestBudget | undefined
  declare readonly fallbacks: readonly string[]
  declare readonly online: boolean
  declare readonly cachePrompt: boolean
  declare readonly serviceTier: string
  declare readonly stream: boolean
  declare readonly timeoutMs: number
  declare readonly retries: number
  declare readonly repairs: number
  declare readonly metadata: Readonly<Record<string, unknown>> | undefined
  declare readonly verbose: boolean
  /** The options as they were written, frozen. {@link Request.with} starts from them. */
  declare readonly options: Readonly<RequestOptions<Answer>>

  /** @throws InvalidRequestError that lists all invalid options */
  constructor(options: RequestOptions<Answer>) {
    const { options: written, normal } = checkRequestOptions(options)
    const { maxBudget: _, extraCost: __, ...fields } = written
    const { maxBudget: maxBudgetNanoUsd, extraCost: extraCostNanoUsd, ...others } = normal
    Object.assign(this, defaults(), fields, { ...others, maxBudgetNanoUsd, extraCostNanoUsd, options: written })
    Object.defineProperty(this, MARK, { value: true })
    Object.freeze(this)
  }

  /**
   * A new request with some options changed; `undefined` removes an option. A new `answerModel` changes the type of the
   * answer.
   * @throws InvalidRequestError that lists all invalid options; InvalidArgumentError if `changes` is not an object
   */
  with<A = Answer>(changes: Partial<RequestOptions<A>>): Request<A> {
    if (!isOptionsObject(changes)) throw new InvalidArgumentError("changes", "an object of options", changes)
    return new Request<A>({ ...(this.options as unknown as RequestOptions<A>), ...changes })
  }

  /** Whether `value` is a request, from any copy of the package. */
  static isInstance(value: unknown): value is Request<unknown> {
    return (value as Record<symbol, unknown> | null | undefined)?.[MARK] === true
  }

  /** The request itself, or a new one from options. */
  static from<A = string>(value: Request<A> | RequestOptions<A>): Request<A> {
    return Request.isInstance(value) ? (value as Request<A>) : new Request<A>(value as RequestOptions<A>)
  }
}

function defaults() {
  return {
    messages: Object.freeze([]),
    tags: Object.freeze({}),
    fallbacks: Object.freeze([]),
    onTruncated: "return",
    extraBody: Object.freeze({}),
    extraHeaders: Object.freeze({}),
    online: false,
    cachePrompt: false,
    serviceTier: "default",
    stream: false,
    timeoutMs: 120_000,
    retries: 2,
    repairs: 1,
    verbose: false,
  }
}
