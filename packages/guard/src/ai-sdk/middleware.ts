import { describeLanguage } from "./describe-language"
import { describeEmbedding, describeImage } from "./describe-others"
import { type BudgetMiddlewareOptions, readMiddlewareOptions } from "./middleware-options"
import { runCall, runStream } from "./run-call"
import type { EmbeddingCall, ImageCall, LanguageCall, SpecifiedModel, StreamResult } from "./specification"
import { LanguageMeter, ResultMeter } from "./usage/model-meter"
import { readEmbeddingUsage, readImageUsage } from "./usage/usage-readings"

/** Middleware for `wrapLanguageModel`, `wrapEmbeddingModel` and `wrapImageModel` of AI SDK 6 and 7. */
export interface BudgetMiddleware {
  /** AI SDK 6 requires this version, and AI SDK 7 accepts it. Calls of specification v4 are understood as well. */
  readonly specificationVersion: "v3"
  /** For language and image models. */
  wrapGenerate<Params extends LanguageCall | ImageCall, Result>(options: {
    doGenerate(): PromiseLike<Result>
    params: Params
    model: SpecifiedModel & { doGenerate(params: Params): PromiseLike<Result> }
  }): Promise<Result>
  wrapStream<Params extends LanguageCall, Part, Result extends StreamResult<Part>>(options: {
    doStream(): PromiseLike<Result>
    params: Params
    model: SpecifiedModel & { doStream(params: Params): PromiseLike<Result> }
  }): Promise<Result>
  wrapEmbed<Params extends EmbeddingCall, Result>(options: {
    doEmbed(): PromiseLike<Result>
    params: Params
    model: SpecifiedModel & { doEmbed(params: Params): PromiseLike<Result> }
  }): Promise<Result>
}

/**
 * AI SDK middleware that reserves the most that a model call can cost, in every limit of the budget, before the model
 * is called, and settles the actual cost afterwards. A denial is thrown as the `BudgetExceededError` itself.
 *
 * It is for providers that cannot be given a `fetch`. Where one can, `guardFetch` is stronger: it also sees the retries
 * inside a provider, and its bounds are tighter. Place the middleware last, directly around the model.
 *
 * @throws InvalidArgumentError if an option is invalid
 *
 * @example
 * const model = wrapLanguageModel({ model: provider("model-id"), middleware: budgetMiddleware({ budget }) })
 */
export function budgetMiddleware(options: BudgetMiddlewareOptions): BudgetMiddleware {
  const guard = readMiddlewareOptions(options)
  return {
    specificationVersion: "v3",
    wrapGenerate: ({ params, model }) => {
      const send = (changed: typeof params) => model.doGenerate(changed)
      if (isImageCall(params))
        return runCall(
          guard,
          { model, params, describe: describeImage, send, isOneRequest: ONE_REQUEST.test(model.provider) },
          (result, context) => new ResultMeter(readImageUsage(result as object, context)),
        )
      return runCall(guard, { model, params, describe: describeLanguage, send }, (result, context) => {
        const meter = new LanguageMeter(context)
        meter.addResult(result)
        return meter
      })
    },
    wrapStream: ({ params, model }) => {
      const send = (changed: typeof params) => model.doStream(changed)
      return runStream(guard, { model, params, describe: describeLanguage, send })
    },
    wrapEmbed: ({ params, model }) => {
      const send = (changed: typeof params) => model.doEmbed(changed)
      return runCall(
        guard,
        { model, params, describe: describeEmbedding, send },
        (result) => new ResultMeter(readEmbeddingUsage((result as { usage?: unknown }).usage)),
      )
    },
  }
}

/**
 * Image models that answer directly. Others start a job and poll it, and the error of a poll says nothing about the
 * job.
 */
const ONE_REQUEST = /^(openai|azure|google|xai)\b/

function isImageCall(params: LanguageCall | ImageCall): params is ImageCall {
  return !Array.isArray(params.prompt)
}
