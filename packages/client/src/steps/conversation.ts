import { type Message, MessageBuilder } from "@p2/core"

/** The conversation of a client. A turn with tool calls is several messages, and no message is inserted between them. */
export class Conversation extends MessageBuilder {
  /** Turns of several messages, by the content of the one message that stands for each of them. */
  readonly #turns = new Map<string, readonly Message[]>()

  override getMessages(): Message[] {
    const messages = super.getMessages()
    if (this.#turns.size === 0) return messages
    return messages.flatMap((message) => {
      const turn = this.#turns.get(message.content as string)
      return turn === undefined ? [message] : structuredClone([...turn])
    })
  }

  override getFormattedPrompt(): string {
    return this.#turns.size === 0
      ? super.getFormattedPrompt()
      : new MessageBuilder().addPrompt(this.getMessages()).getFormattedPrompt()
  }

  override clear(): this {
    this.#turns.clear()
    return super.clear()
  }

  /** Like `openTurn`, for a turn of one or more messages. */
  beginTurn(): (messages: readonly Message[]) => void {
    const addAnswer = this.openTurn()
    return (messages) => {
      const [first] = messages
      if (messages.length === 1 && typeof first?.content === "string" && !("tool_calls" in first))
        return addAnswer(first.content)
      const mark = `turn ${crypto.randomUUID()}`
      this.#turns.set(mark, messages)
      addAnswer(mark)
    }
  }
}
