import { type Message, MessageBuilder } from "@p2/core"
import type { MapOptions } from "./map-options"

/** The messages of each item. @throws InvalidRequestError, InvalidArgumentError */
export function promptsOf<Item>(items: readonly Item[], prompt: MapOptions<Item>["prompt"]): Message[][] {
  return items.map((item, index) => {
    const builder = new MessageBuilder()
    if (prompt === undefined) builder.addMessageUser(item)
    else builder.addPrompt(prompt(item, index))
    return builder.getMessages()
  })
}
