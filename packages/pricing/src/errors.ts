import { P2Error } from "@p2/core"

/** A call whose cost has no upper bound: code `unbounded-cost`. */
export class UnboundedCostError extends P2Error {
  readonly model: string
  /**
   * `output`: nobody said how long the answer may be; `routing`: the provider's routing chooses the price; `searches`: the model
   * searches as often as it likes, and each search is billed.
   */
  readonly reason: "output" | "routing" | "searches"

  constructor(model: string, reason: UnboundedCostError["reason"], message: string) {
    super(message, { code: "unbounded-cost", kind: "usage" })
    this.name = "UnboundedCostError"
    this.model = model
    this.reason = reason
  }
}

/** Something was used, or may be used, that the model's price does not name: code `unpriced-usage`. It is not free. */
export class UnpricedUsageError extends P2Error {
  readonly model: string
  /** What has no price, such as `webSearches`. */
  readonly usage: string

  constructor(model: string, usage: string, remedy: string) {
    super(`The price of "${model}" has no rate for \`${usage}\`. ${remedy}`, {
      code: "unpriced-usage",
      kind: "usage",
    })
    this.name = "UnpricedUsageError"
    this.model = model
    this.usage = usage
  }
}
