import { type Check, list, type Report } from "./option-checks"

const ROLES = ["system", "developer", "user", "assistant", "tool"]

/** By the type of a part: where its text is. A file may be sent as an id instead. */
const PARTS: Record<string, string> = {
  text: "text",
  image_url: "image_url.url",
  file: "",
  input_audio: "input_audio.data",
  refusal: "refusal",
}

/** Whether `messages` is a list of messages as the API takes them: roles, contents and part types. */
export function checkMessages(messages: unknown, path: string, report: Report): unknown {
  return list(10_000, checkMessage)(messages, path, report)
}

const checkMessage: Check = (message, path, report) => {
  const { role, content, tool_calls, tool_call_id } = (message ?? {}) as Record<string, unknown>
  if (!ROLES.includes(role as string)) return report(`${path}.role`, `one of ${ROLES.join(", ")}`, role)
  if (role === "tool" && typeof tool_call_id !== "string") report(`${path}.tool_call_id`, "a text", tool_call_id)
  if (tool_calls !== undefined) list(10_000, checkToolCall)(tool_calls, `${path}.tool_calls`, report)
  if (Array.isArray(content)) list(10_000, checkPart)(content, `${path}.content`, report)
  else if (typeof content !== "string" && (role !== "assistant" || (content ?? null) !== null))
    report(`${path}.content`, "a text or a list of parts", content)
}

const checkToolCall: Check = (call, path, report) => {
  const fields = ["id", "function.name", "function.arguments"]
  for (const field of fields) checkText(call, field, path, report)
}

const checkPart: Check = (part, path, report) => {
  const { type } = (part ?? {}) as { type?: string }
  const names = Object.keys(PARTS)
  if (!names.includes(type!)) report(`${path}.type`, `one of ${names.join(", ")}`, type)
  else if (PARTS[type!] !== "") checkText(part, PARTS[type!]!, path, report)
}

/** Whether there is a text at a field, or at a field of a field. */
function checkText(holder: unknown, field: string, path: string, report: Report): void {
  let value = holder
  for (const key of field.split(".")) value = (value as Record<string, unknown> | null | undefined)?.[key]
  if (typeof value !== "string") report(`${path}.${field}`, "a text", value)
}
