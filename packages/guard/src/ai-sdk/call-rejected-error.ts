import { P2Error } from "@p2/core"
import type { Rejection, RejectionReason } from "../protocols/protocol"

/** The cost of a call is not understood or has no upper bound: code `call-rejected`. Nothing was sent. */
export class CallRejectedError extends P2Error<"call-rejected"> {
  /** The id of the model, as the AI SDK provider names it. */
  declare readonly model: string
  declare readonly reason: RejectionReason

  constructor(model: string, { reason, message }: Pick<Rejection, "reason" | "message">) {
    super(message, { code: "call-rejected", kind: "usage" })
    this.model = model
    this.reason = reason
  }

  /** Whether `value` is a `CallRejectedError`, from any copy of the package. */
  static override isInstance(value: unknown): value is CallRejectedError {
    return P2Error.isInstance(value) && value.code === "call-rejected"
  }
}
