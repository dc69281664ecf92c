import { DeadlineRace as Race } from "@p2/guard/transport"
import { DeadlineExceededError } from "../errors"

/** The deadlines of one attempt, which end it with a {@link DeadlineExceededError}. */
export class DeadlineRace extends Race<DeadlineExceededError> {
  constructor(callerSignal: AbortSignal | undefined) {
    super(callerSignal, (deadline, timeoutMs) => new DeadlineExceededError(deadline, timeoutMs))
  }
}
