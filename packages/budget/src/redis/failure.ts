import { corrupt, misconfigured, StoreError, unavailable } from "../store/store-error"

/** Error replies of commands that the server did not run. */
const NOT_APPLIED =
  /^(?:READONLY|OOM|MISCONF|LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|TRYAGAIN|MOVED|ASK|NOSCRIPT|CROSSSLOT)\b/
/** Error messages of ioredis for commands that it did not write. */
const NOT_SENT = /^(?:Stream isn't writeable|Cluster isn't ready|Cluster is ended|Failed to refresh slots cache)/
const NOT_ALLOWED = /^(?:NOAUTH|WRONGPASS|NOPERM)\b/
const NOT_ALLOWED_IN_SCRIPT = /NOPERM|can't run this command/

/** Converts a failure to a `StoreError`. `sent`: the command may have been written. */
export function storeFailure(failure: unknown, sent: boolean): StoreError {
  if (StoreError.isInstance(failure)) return failure
  const cause = withoutCommand(failure)
  // After too many redirections, ioredis puts the last error reply into its own message.
  const message = cause.message.replace(/^Too many Cluster redirections\. Last error: (?:\w*Error: )?/, "")
  if (NOT_ALLOWED.test(message)) return notAllowed("no", cause)
  if (NOT_ALLOWED_IN_SCRIPT.test(message)) return notAllowed("maybe", cause)
  if (NOT_APPLIED.test(message)) {
    return unavailable(`Redis rejected the call (${message.split(" ", 1)[0]}); nothing was applied.`, "no", cause)
  }
  if (!sent || NOT_SENT.test(message)) return unavailable("Redis cannot be reached; nothing was applied.", "no", cause)
  if (message === "Command timed out") {
    return unavailable("Redis did not reply in time; the call may have been applied.", "maybe", cause)
  }
  if (cause.name === "ReplyError") {
    return corrupt("Redis rejected the store's script. See `error.cause`.", "maybe", cause)
  }
  return unavailable("The connection to Redis closed before the reply; the call may have been applied.", "maybe", cause)
}

/** A script found a damaged record and wrote nothing. */
export function damagedRecord(what: string): StoreError {
  return corrupt(
    `Redis holds a damaged record (${what}); nothing was applied. See "Damaged records" in docs/redis-layout.md.`,
  )
}

function notAllowed(applied: "no" | "maybe", cause: Error): StoreError {
  return misconfigured(
    "Redis does not allow the store's commands: check the user and password of the connection, and its ACL.",
    applied,
    cause,
  )
}

/** Copies name, message and code only: ioredis attaches the command to its errors, with keys, subjects and prompts. */
function withoutCommand(failure: unknown): Error {
  if (!(failure instanceof Error)) return new Error(String(failure))
  const cause = new Error(failure.message)
  cause.name = failure.name
  if ("code" in failure) Object.assign(cause, { code: failure.code })
  return cause
}
