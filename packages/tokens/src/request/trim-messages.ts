import { checkOptions, InvalidArgumentError, type Message, type MessageInput } from "@p2/core"
import { RESPONSE_START } from "./count-request-tokens"
import { sum } from "./counted"
import { messageTokens } from "./message-tokens"
import { requestModel } from "./request-model"

/** Options of {@link trimMessages}. */
export interface TrimOptions<Input = Message> {
  model: string
  /** Maximum input tokens of the messages, as `countRequestTokens` counts them. */
  maxTokens: number
  /** Selects messages that are never dropped, in addition to system and developer messages. @defaultValue none */
  keep?: ((message: Input, index: number) => boolean) | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(["model", "maxTokens", "keep"])

/** Messages that are kept or dropped together: one message, or tool calls with their results. */
interface Block {
  indexes: number[]
  isUser: boolean
  isKept: boolean
}

/**
 * Drops the oldest turns of a conversation until the rest has at most `maxTokens` input tokens. A turn is dropped
 * whole, so that the rest begins with a question. In the last turn, the oldest steps of its tool calls are dropped. A
 * tool call is never separated from its results.
 *
 * System and developer messages, the last question, and the last message always remain, even if they exceed `maxTokens`.
 *
 * @throws InvalidArgumentError
 *
 * @example
 * const messages = trimMessages(history, { model: "gpt-4o-mini", maxTokens: 8_000 })
 */
export function trimMessages<Input extends MessageInput>(
  messages: readonly Input[],
  options: TrimOptions<Input>,
): Input[] {
  checkOptions(options, OPTIONS)
  const { model: id, maxTokens, keep } = options
  const model = requestModel(id)
  if (!Array.isArray(messages)) throw new InvalidArgumentError("messages", "an array of messages", messages)
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1)
    throw new InvalidArgumentError("maxTokens", "an integer of at least 1", maxTokens)
  if (keep !== undefined && typeof keep !== "function")
    throw new InvalidArgumentError("keep", "a function of a message and its index", keep)
  const countTokens = ({ indexes }: Block) =>
    sum(indexes.flatMap((index) => messageTokens(model, messages[index] as Message, `messages[${index}]`))).tokens
  const blocks = blocksOf(messages, keep)
  const dropped = blocks.filter(({ isKept }) => !isKept)
  const { required, turns } = partTurns(dropped)
  const kept = [...blocks.filter(({ isKept }) => isKept), ...required]
  let tokens = kept.reduce((total, block) => total + countTokens(block), RESPONSE_START.tokens)
  // The newest first: older ones need not be counted once one does not fit.
  for (const turn of turns) {
    tokens += turn.reduce((total, block) => total + countTokens(block), 0)
    if (tokens > maxTokens) break
    kept.push(...turn)
  }
  const indexes = kept.flatMap((block) => block.indexes).sort((a, b) => a - b)
  return indexes.map((index) => messages[index]!)
}

function blocksOf<Input extends MessageInput>(messages: readonly Input[], keep: TrimOptions<Input>["keep"]): Block[] {
  const blocks: Block[] = []
  let calls: Block | undefined
  for (const [index, message] of messages.entries()) {
    const { role } = (message ?? {}) as Message
    const isKept = role === "system" || role === "developer" || keep?.(message, index) === true
    const isResult = role === "tool" || role === "function"
    if (isResult && calls !== undefined) {
      calls.indexes.push(index)
      calls.isKept ||= isKept
      continue
    }
    const block = { indexes: [index], isUser: role === "user", isKept }
    blocks.push(block)
    if (role === "assistant") calls = block
  }
  return blocks
}

/**
 * The blocks that must remain, and those that may be dropped together, the newest first: the steps of the last turn, then the
 * turns before it.
 */
function partTurns(blocks: readonly Block[]): { required: Block[]; turns: Block[][] } {
  const lastUser = blocks.findLastIndex(({ isUser }) => isUser)
  const start = lastUser === -1 ? 0 : startOfTurn(blocks, lastUser)
  const lastTurn = blocks.slice(start)
  const required = lastTurn.filter((block, index) => block.isUser || index === lastTurn.length - 1)
  const turns = lastTurn.filter((block) => !required.includes(block)).map((block) => [block])
  const older: Block[][] = []
  for (let end = start; end > 0; ) {
    const user = blocks.slice(0, end).findLastIndex(({ isUser }) => isUser)
    const from = user === -1 ? 0 : startOfTurn(blocks, user)
    older.push(blocks.slice(from, end))
    end = from
  }
  return { required, turns: [...turns.reverse(), ...older] }
}

/** The first of the consecutive user messages that end at `index`. */
function startOfTurn(blocks: readonly Block[], index: number): number {
  let start = index
  while (blocks[start - 1]?.isUser) start--
  return start
}
