import type { Report } from "./check-request-options"

const ROLES = ["system", "developer", "user", "assistant", "tool"]
const PARTS = ["text", "image_url", "file", "input_audio", "refusal"]

/** Whether `messages` is a list of messages as the API takes them: roles, contents and part types. */
export function checkMessages(messages: unknown, path: string, report: Report): void {
  if (!Array.isArray(messages) || messages.length > 10_000) {
    report(path, "a list of at most 10000 messages", messages)
    return
  }
  for (const [index, message] of messages.entries()) checkMessage(message, `${path}[${index}]`, report)
}

function checkMessage(message: unknown, path: string, report: Report): void {
  if (typeof message !== "object" || message === null) {
    report(path, "a message with a role and a content", message)
    return
  }
  const { role, content, tool_calls, tool_call_id } = message as Record<string, unknown>
  if (!ROLES.includes(role as string)) {
    report(`${path}.role`, `one of ${ROLES.join(", ")}`, role)
    return
  }
  if (role === "tool" && typeof tool_call_id !== "string") report(`${path}.tool_call_id`, "a text", tool_call_id)
  if (tool_calls !== undefined) checkToolCalls(tool_calls, `${path}.tool_calls`, report)
  const silent = role === "assistant" && (content === undefined || content === null)
  if (typeof content === "string" || silent) return
  if (!Array.isArray(content)) report(`${path}.content`, "a text or a list of parts", content)
  else for (const [index, part] of content.entries()) checkPart(part, `${path}.content[${index}]`, report)
}

function checkToolCalls(calls: unknown, path: string, report: Report): void {
  if (!Array.isArray(calls)) {
    report(path, "a list of calls", calls)
    return
  }
  for (const [index, call] of calls.entries()) {
    const { id, function: called } = (call ?? {}) as {
      id?: unknown
      function?: { name?: unknown; arguments?: unknown }
    }
    const fine = typeof id === "string" && typeof called?.name === "string" && typeof called.arguments === "string"
    if (!fine) report(`${path}[${index}]`, "a call with `id` and `function: { name, arguments }`", call)
  }
}

function checkPart(part: unknown, path: string, report: Report): void {
  const { type, text, image_url } = (part ?? {}) as Record<string, unknown>
  if (!PARTS.includes(type as string)) report(`${path}.type`, `one of ${PARTS.join(", ")}`, type)
  else if (type === "text" && typeof text !== "string") report(`${path}.text`, "a text", text)
  else if (type === "image_url" && typeof (image_url as { url?: unknown } | undefined)?.url !== "string")
    report(`${path}.image_url.url`, "an address or a data: URL", (image_url as { url?: unknown } | undefined)?.url)
}
