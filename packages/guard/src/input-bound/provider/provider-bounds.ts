import { LruMap } from "@p2/core"
import { describeCall } from "../../protocols/describe-call"
import { type CallToBound, hardBound, type InputBounds, type TightenedCall, withInputBound } from "../input-bounds"
import { type CountRequest, countRequestOf } from "./count-request"
import { PrefixCounts, prefixDigests } from "./prefix-counts"
import { requestCount } from "./request-count"

/**
 * The margin on a count: 5 % and 64 tokens. OpenAI calls its counts exact, Anthropic an estimate from which the bill differs by a small
 * amount, and Google's own example is billed one token more; none states a maximum. docs/input-bounds.md has the
 * sources.
 */
export function withMargin(count: number): number {
  return Math.ceil(count * 1.05) + 64
}

/** A call whose bound would fall by less is not counted: the request costs more time than the bound gains. */
const MIN_GAIN_TOKENS = 500

/** New turns are bounded without a request while their hard bound exceeds their estimate by at most this share of the prompt. */
const MAX_ADDED_SHARE = 0.25

/** After an endpoint failed to count, no request is sent to it for this long. */
const PAUSE_MS = 60_000

/** Bounds prompts by the counts of the provider. */
export class ProviderBounds implements InputBounds {
  readonly #prefixes = new PrefixCounts()
  /** When a request may be sent to each endpoint again. */
  readonly #pausedUntil = new LruMap<string, number>(1_000)

  async bound(call: CallToBound): Promise<TightenedCall> {
    const { described } = call
    const { prompt, estimate, upperBound } = described.input
    const request = countRequestOf(call.call, described)
    if (request === undefined) return hardBound(described)
    if (prompt?.isShown && withMargin(estimate) > upperBound - MIN_GAIN_TOKENS) return hardBound(described)
    const digests = request.appends ? await prefixDigests([request.url.href, request.head], request.turns) : []
    const whole = digests.at(-1)
    const remembered = this.#remembered(call, request, digests)
    const counted = remembered?.isClose ? undefined : await this.#counted(call, request, whole)
    const promptTokens = counted ?? remembered?.promptTokens
    return {
      described: promptTokens === undefined ? described : withInputBound(described, promptTokens),
      onInputReported: (inputTokens) => {
        if (whole !== undefined && inputTokens > 0) this.#prefixes.set(whole, inputTokens)
      },
    }
  }

  /** A bound of the prompt from the count of its first turns and the hard bound of the others. */
  #remembered(
    { context }: CallToBound,
    request: CountRequest,
    digests: readonly string[],
  ): { promptTokens: number; isClose: boolean } | undefined {
    const prefix = this.#prefixes.longest(digests)
    if (prefix === undefined) return undefined
    const added = request.turns.slice(prefix.length)
    const prefixTokens = withMargin(prefix.tokens)
    if (added.length === 0) return { promptTokens: prefixTokens, isClose: true }
    const described = describeCall(request.callWith(added), context)
    if (described.status !== "priced") return undefined
    const { estimate, upperBound } = described.input
    const isClose = upperBound - estimate <= MAX_ADDED_SHARE * prefix.tokens
    return { promptTokens: prefixTokens + upperBound, isClose }
  }

  async #counted(
    { call, fetch, signal }: CallToBound,
    request: CountRequest,
    whole: string | undefined,
  ): Promise<number | undefined> {
    const endpoint = request.url.origin + request.url.pathname
    if (Date.now() < (this.#pausedUntil.get(endpoint) ?? 0)) return undefined
    const outcome = await requestCount(request, { headers: call.headers, fetch, signal })
    if (outcome.status === "unavailable") this.#pausedUntil.set(endpoint, Date.now() + PAUSE_MS)
    if (outcome.status !== "counted") return undefined
    if (whole !== undefined) this.#prefixes.set(whole, outcome.tokens)
    return withMargin(outcome.tokens)
  }
}
