import { hideString } from "../errors"
import type { RequestIssues } from "./invalid-request-error"
import { array, type Check } from "./option-checks"

const ROLES = ["system", "developer", "user", "assistant", "tool", "function"]

/** The roles of messages that may have no content. */
const MAY_BE_EMPTY = ["assistant", "function"]

/** The field of a content part that must be a string, by the type of the part. A file may have an id instead. */
const STRING_FIELDS: Record<string, string> = {
  text: "text",
  image_url: "image_url.url",
  file: "",
  input_audio: "input_audio.data",
  refusal: "refusal",
}

/** Checks that `messages` is an array of messages that the API accepts: roles, contents and part types. */
export function checkMessages(messages: unknown, path: string, issues: RequestIssues): unknown {
  if (Array.isArray(messages)) return array(10_000, checkMessage)(messages, path, issues)
  const example = 'an array of messages such as [{ role: "user", content: "Hello" }]'
  return issues.addUnexpected(path, example, hideString(messages))
}

const checkMessage: Check = (message, path, issues) => {
  const { role, content, name, tool_calls, tool_call_id } = (message ?? {}) as Record<string, unknown>
  if (!ROLES.includes(role as string)) return issues.addUnexpected(`${path}.role`, `one of ${ROLES.join(", ")}`, role)
  if (role === "tool" && typeof tool_call_id !== "string")
    issues.addUnexpected(`${path}.tool_call_id`, "a string", tool_call_id)
  if (role === "function" && typeof name !== "string") issues.addUnexpected(`${path}.name`, "a string", name)
  if ((tool_calls ?? undefined) !== undefined) array(10_000, checkToolCall)(tool_calls, `${path}.tool_calls`, issues)
  if (Array.isArray(content)) array(10_000, checkPart)(content, `${path}.content`, issues)
  else if (typeof content !== "string" && (!MAY_BE_EMPTY.includes(role as string) || (content ?? null) !== null))
    issues.addUnexpected(`${path}.content`, "a string or an array of parts", content)
}

const checkToolCall: Check = (call, path, issues) => {
  const isCustom = (call as { type?: unknown } | null)?.type === "custom"
  const fields = isCustom ? ["custom.name", "custom.input"] : ["function.name", "function.arguments"]
  for (const field of ["id", ...fields]) checkString(call, field, path, issues)
}

const checkPart: Check = (part, path, issues) => {
  const { type } = (part ?? {}) as { type?: string }
  const types = Object.keys(STRING_FIELDS)
  if (!types.includes(type!)) issues.addUnexpected(`${path}.type`, `one of ${types.join(", ")}`, type)
  else if (STRING_FIELDS[type!] !== "") checkString(part, STRING_FIELDS[type!]!, path, issues)
}

/** Checks that there is a string at a field, such as `id` or `function.name`. */
function checkString(container: unknown, field: string, path: string, issues: RequestIssues): void {
  let value = container
  for (const key of field.split(".")) value = (value as Record<string, unknown> | null | undefined)?.[key]
  if (typeof value !== "string") issues.addUnexpected(`${path}.${field}`, "a string", value)
}
