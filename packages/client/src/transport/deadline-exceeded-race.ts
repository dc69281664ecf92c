import { DeadlineRace } from "@p2/guard/transport"
import { DeadlineExceededError } from "../errors"

/** A {@link DeadlineRace} whose deadlines end it with a {@link DeadlineExceededError}. */
export class DeadlineExceededRace extends DeadlineRace<DeadlineExceededError> {
  constructor(callerSignal: AbortSignal | undefined) {
    super(callerSignal, (deadline, timeoutMs) => new DeadlineExceededError(deadline, timeoutMs))
  }
}
