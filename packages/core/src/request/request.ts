import type { Message } from "../messages/message"
import type { NanoUsd } from "../money"
import type { RequestBudget } from "./budget-input"
import { checkRequestOptions } from "./check-request-options"
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
  declare readonly model: string
  declare readonly answerModel: AnswerModel<Answer> | undefined
  declare readonly messages: readonly Message[]
  declare readonly temperature: number | undefined
  declare readonly topP: number | undefined
  declare readonly frequencyPenalty: number | undefined
  declare readonly presencePenalty: number | undefined
  declare readonly seed: number | undefined
  /** Always a list; undefined when nothing was given. */
  declare readonly stop: readonly string[] | undefined
  declare readonly maxTokens: number | undefined
  /** `maxBudget` in nano-USD; undefined: no limit on this request. */
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
  /** The options as they were given, frozen: what {@link Request.with} starts from. */
  declare readonly options: Readonly<RequestOptions<Answer>>

  /** @throws InvalidRequestError that lists the wrong fields. */
  constructor(options: RequestOptions<Answer>) {
    const { options: given, normal } = checkRequestOptions(options)
    const { maxBudget: _, ...fields } = given
    const { stop, maxBudget: maxBudgetNanoUsd, userBudget, clientBudget } = normal
    Object.assign(this, defaults(), fields, { stop, maxBudgetNanoUsd, userBudget, clientBudget, options: given })
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
    return (value as Record<symbol, unknown> | null | undefined)?.[MARK] === true
  }

  /** The request itself, or a request made of plain options. */
  static from<A = string>(value: Request<A> | RequestOptions<A>): Request<A> {
    return Request.isInstance(value) ? (value as Request<A>) : new Request<A>(value as RequestOptions<A>)
  }
}

function defaults() {
  return {
    messages: Object.freeze([]),
    tags: Object.freeze({}),
    fallbacks: Object.freeze([]),
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
