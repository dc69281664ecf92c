import type { Message } from "@p2/core"
import type { Route } from "../providers/route"

/** Fields of a message with tool calls that its provider requires in the next step, and that others may reject. */
const FIELDS: readonly string[] = ["reasoning_content", "reasoning", "reasoning_details"]

type CallMessage = Extract<Message, { role: "assistant" }>

/** The provider that wrote a message. Unknown for messages of earlier calls. */
const writers = new WeakMap<Message, string>()

/** Remembers who wrote a message with tool calls. */
export function writtenBy(message: Message, { provider }: Route): Message {
  writers.set(message, provider.name)
  return message
}

/**
 * The messages for a provider: without the reasoning that another provider wrote. The reasoning of an earlier call is sent to
 * the provider of the request's own model.
 */
export function messagesFor(messages: readonly Message[], route: Route, routes: readonly Route[]): readonly Message[] {
  if (!messages.some(hasReasoning)) return messages
  const isOwn = (message: Message) => (writers.get(message) ?? routes[0]?.provider.name) === route.provider.name
  return messages.map((message) => (hasReasoning(message) && !isOwn(message) ? withoutReasoning(message) : message))
}

export function withoutReasoning(message: Message): Message {
  if (!hasReasoning(message)) return message
  const fields = Object.entries(message).filter(([name]) => !FIELDS.includes(name))
  const calls = message.tool_calls!.map((call) => {
    const { extra_content: _, ...others } = call as typeof call & { extra_content?: unknown }
    return others
  })
  return { ...(Object.fromEntries(fields) as unknown as CallMessage), tool_calls: calls } as CallMessage
}

/**
 * Maximum tokens of `extra_content` (Gemini's signatures), which the count of a message leaves out: two for each byte
 * of its JSON, as for other fields.
 */
export function extraContentBound(messages: readonly Message[]): number {
  let bytes = 0
  for (const message of messages)
    if (hasCalls(message))
      for (const call of message.tool_calls!)
        if ("extra_content" in call) bytes += new TextEncoder().encode(JSON.stringify(call.extra_content)).byteLength
  return 2 * bytes
}

function hasCalls(message: Message): message is CallMessage {
  return message.role === "assistant" && message.tool_calls !== undefined
}

function hasReasoning(message: Message): message is CallMessage {
  if (!hasCalls(message)) return false
  return FIELDS.some((name) => name in message) || message.tool_calls!.some((call) => "extra_content" in call)
}

/** A result for a call that has none, because providers reject a conversation with an open call. */
const NOT_RUN = "This tool was not run."

/** The messages, with a result for each tool call that the messages right after it do not answer. */
export function withAnsweredCalls(messages: readonly Message[]): readonly Message[] {
  if (!messages.some(hasCalls)) return messages
  const answered: Message[] = []
  let open: string[] = []
  const closeCalls = () => {
    answered.push(...open.map((id) => ({ role: "tool" as const, tool_call_id: id, content: NOT_RUN })))
    open = []
  }
  for (const message of messages) {
    if (message.role === "tool") open = open.filter((id) => id !== message.tool_call_id)
    else closeCalls()
    answered.push(message)
    if (hasCalls(message)) open = message.tool_calls!.map(({ id }) => id)
  }
  closeCalls()
  return answered
}
