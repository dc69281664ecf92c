import { checkNames, InvalidArgumentError } from "@p2/core"

const SUBJECT_NAMES: ReadonlySet<string> = new Set(["requestId", "userId", "clientId", "model", "tags"])

/** Throws unless it is an object of these names. @throws InvalidArgumentError */
export function checkOptions(
  value: unknown,
  names: ReadonlySet<string>,
  { argument = "options", expected }: { argument?: string; expected: string },
): void {
  if (typeof value !== "object" || value === null)
    throw new InvalidArgumentError(argument, `an object ${expected}`, value)
  checkNames(value, names, argument === "options" ? "" : argument)
}

/** A misspelt `userId` must not pass for no user. @throws InvalidArgumentError */
export function checkSubject(subject: unknown): void {
  checkOptions(subject, SUBJECT_NAMES, { argument: "subject", expected: "such as { userId, clientId, tags }" })
}

/** @throws InvalidArgumentError */
export function checkSignal(signal: unknown, argument: string): void {
  if (signal === undefined) return
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>
  const isSignal =
    typeof aborted === "boolean" && typeof addEventListener === "function" && typeof removeEventListener === "function"
  if (!isSignal) throw new InvalidArgumentError(argument, "an AbortSignal", signal)
}
