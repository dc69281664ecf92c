import type { AnswerFormat, Message, ToolDefinition } from "@p2/core"
import type { Modality } from "@p2/pricing"
import { countRequestTokens, countTokens } from "@p2/tokens"
import type { Rejection } from "./protocol"
import { rejectionOf, unknownWindow } from "./rejection"
import type { CalledModel } from "./variants/called-model"

/** The input of a call in the form in which its tokens are counted. */
export interface CountableInput {
  messages: Message[]
  tools: ToolDefinition[]
  answerFormat: AnswerFormat | undefined
  /** JSON and text that may reach the model in addition to the messages. Twice its tokens is the bound. */
  otherText: string[]
  /** Tokens of instructions that the provider adds, by a sourced margin. */
  addedTokens: number
  /** The parts whose tokens only the context window bounds: earlier turns that the provider stores, files, search results. */
  unseen: string[]
  /** Undefined: every modality for which the model has a rate. */
  modalities: Set<Modality> | undefined
}

export interface InputTokens {
  status: "counted"
  estimate: number
  upperBound: number
  /** No part is bounded only by the window. */
  isShown: boolean
}

/** Counts the tokens of texts. */
export function countTexts(
  texts: readonly string[],
  { countedAs: model }: Pick<CalledModel, "countedAs">,
): { status: "counted"; estimate: number; upperBound: number } | Rejection {
  let estimate = 0
  let upperBound = 0
  try {
    for (const text of texts) {
      estimate += countTokens(text, { model })
      upperBound += countTokens(text, { model, countBy: "upperBound" })
    }
  } catch (error) {
    return rejectionOf(error)
  }
  return { status: "counted", estimate, upperBound }
}

/** Counts the input tokens of a call: an estimate, and an upper bound. */
export function countInput(called: CalledModel, input: CountableInput): InputTokens | Rejection {
  const { countedAs, window } = called
  const { messages, tools, answerFormat, otherText, addedTokens, unseen } = input
  try {
    const counted = countRequestTokens({ model: countedAs, messages, tools, answerFormat })
    const others = countTexts(otherText, called)
    if (others.status === "rejected") return others
    const estimate = counted.tokens + others.estimate
    let upperBound = counted.upperBound + addedTokens + 2 * others.upperBound
    if (unseen.length > 0) {
      if (window === undefined) return unknownWindow(unseen[0]!)
      // No request can exceed the window, even if the provider adds text.
      upperBound = Math.max(window, upperBound)
    }
    return { status: "counted", estimate, upperBound: Math.max(estimate, upperBound), isShown: unseen.length === 0 }
  } catch (error) {
    return rejectionOf(error)
  }
}
