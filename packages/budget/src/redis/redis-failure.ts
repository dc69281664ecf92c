import { StoreError } from "../store-error"

/** Replies that say that the server did not run the script, or stopped it at its first write. */
const NOT_APPLIED =
  /^(?:READONLY|OOM|MISCONF|LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|TRYAGAIN|MOVED|ASK|NOSCRIPT)\b/
const NOT_ALLOWED = /^(?:NOAUTH|WRONGPASS|NOPERM)\b/

/** What the reply of the server, or the failure of the connection, means for the caller. `sent`: a command was written. */
export function storeFailure(failure: unknown, sent: boolean): StoreError {
  const cause = withoutCommand(failure)
  const message = cause instanceof Error ? cause.message : String(cause)
  if (NOT_ALLOWED.test(message)) {
    return new StoreError(
      "Redis does not allow the store's commands: give the connection a user who may run scripts on its keys.",
      { code: "misconfigured", applied: "no", cause },
    )
  }
  if (NOT_APPLIED.test(message)) {
    const reason = message.split(" ", 1)[0]!
    return new StoreError(`Redis refused the call (${reason}); nothing was applied.`, {
      code: "unavailable",
      applied: "no",
      cause,
    })
  }
  // ioredis did not write the command: the connection was down and nothing is queued.
  if (!sent || message.startsWith("Stream isn't writeable") || message.startsWith("Cluster isn't ready")) {
    return new StoreError("Redis cannot be reached; nothing was applied.", {
      code: "unavailable",
      applied: "no",
      cause,
    })
  }
  if ((cause as { name?: string } | null)?.name === "ReplyError") {
    return new StoreError("Redis answered the store's script with an error that it does not know.", {
      code: "corrupt",
      applied: "maybe",
      cause,
    })
  }
  return new StoreError("The connection to Redis broke before the answer came; the call may have been applied.", {
    code: "unavailable",
    applied: "maybe",
    cause,
  })
}

/** ioredis hangs the command on its errors, and with it ids, users, and prompts where the ledger keeps them: not for logs. */
function withoutCommand(failure: unknown): unknown {
  if (typeof failure === "object" && failure !== null && "command" in failure) delete failure.command
  return failure
}

/** No answer within the store's timeout. */
export function timedOut(timeoutMs: number, sent: boolean): StoreError {
  const outcome = sent ? "the call may have been applied" : "nothing was applied"
  return new StoreError(`Redis did not answer within ${timeoutMs} ms; ${outcome}.`, {
    code: "unavailable",
    applied: sent ? "maybe" : "no",
  })
}
