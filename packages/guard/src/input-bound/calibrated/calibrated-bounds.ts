import { type CallToBound, hardBound, type InputBounds, type TightenedCall, withInputBound } from "../input-bounds"
import { kindOf } from "./kind-of-call"
import { RatioClasses } from "./ratio-classes"

/** Bounds the input of calls by what the provider reported for earlier calls of the same kind. */
export class CalibratedBounds implements InputBounds {
  readonly #classes = new RatioClasses()

  async bound({ call, described }: CallToBound): Promise<TightenedCall> {
    const { estimate, upperBound, prompt } = described.input
    // What the provider stores grows with each turn, so earlier calls say little about the next one.
    if (!prompt?.isShown) return hardBound(described)
    // Results of tools that the provider runs do not grow with the prompt, and neither does the hard bound for them.
    const base = prompt.passes === 1 ? Math.max(1, estimate) : upperBound
    const kind = kindOf(call, described)
    const inputTokens = this.#classes.bound(kind, base)
    return {
      described: inputTokens === undefined ? described : withInputBound(described, inputTokens),
      onInputReported: (reported) => this.#classes.add(kind, reported / base),
    }
  }
}
