import { type AudioPart, type ImagePart, isRecord } from "@p2/core"
import { countRequestTokens } from "@p2/tokens"
import type { Rejection } from "./protocol"
import { invalidBody, rejectionOf, unknownWindow } from "./rejection"

/** A part of the input of a call in a provider's own wire format. */
export type PromptPart =
  /** Text that the model sees unchanged. */
  | { kind: "text"; text: string }
  /** An image or audio. */
  | { kind: "media"; part: ImagePart | AudioPart }
  | { kind: "tokens"; estimate: number; upperBound: number }
  /** Only the context window bounds this part: a file, or earlier turns that the provider stores. */
  | { kind: "unseen"; what: string }
  | { kind: "rejected"; rejection: Rejection }

/** Tokens that separate the parts of a message. Providers do not publish how they separate them. */
const SEPARATOR_TOKENS = 4

export function textPart(text: string): PromptPart[] {
  return [{ kind: "text", text }, tokensPart(0, SEPARATOR_TOKENS)]
}

/** A line feed and an indentation, which a provider may add around each of these. */
const LAYOUT_TOKENS = 2
const LAYOUT = /[{}[\],:]/g

/** Data that the provider may show to the model as JSON of any layout. */
export function jsonPart(value: unknown): PromptPart[] {
  const json = jsonOf(value)
  if (json === undefined) return [rejectedPart(invalidBody("body", "JSON that is nested less deeply"))]
  const marks = json.match(LAYOUT)?.length ?? 0
  return [{ kind: "text", text: json }, tokensPart(0, SEPARATOR_TOKENS + LAYOUT_TOKENS * marks)]
}

/** Undefined: the nesting exceeds the stack. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) ?? ""
  } catch {
    return undefined
  }
}

export function imagePart(url: string): PromptPart {
  return { kind: "media", part: { type: "image_url", image_url: { url } } }
}

export function tokensPart(estimate: number, upperBound = estimate): PromptPart {
  return { kind: "tokens", estimate, upperBound }
}

export function unseenPart(what: string): PromptPart {
  return { kind: "unseen", what }
}

export function rejectedPart(rejection: Rejection): PromptPart {
  return { kind: "rejected", rejection }
}

/** The input tokens of one pass of the model. */
export interface PromptTokens {
  status: "counted"
  estimate: number
  upperBound: number
  /** No part is bounded only by the window. */
  isShown: boolean
}

/** Sums the parts of a prompt. If the window bounds one part, it bounds them all, because no request can exceed it. */
export function sumParts(
  parts: readonly PromptPart[],
  { countedAs, window }: { countedAs: string; window: number | undefined },
): PromptTokens | Rejection {
  const texts: string[] = []
  const media: (ImagePart | AudioPart)[] = []
  let [estimate, upperBound] = [0, 0]
  let unseen: string | undefined
  for (const part of parts) {
    if (part.kind === "rejected") return part.rejection
    if (part.kind === "text") texts.push(part.text)
    else if (part.kind === "media") media.push(part.part)
    else if (part.kind === "unseen") unseen ??= part.what
    else {
      estimate += part.estimate
      upperBound += part.upperBound
    }
  }
  if (unseen !== undefined && window === undefined) return unknownWindow(unseen)
  try {
    // A line feed is never part of a composed character, so the bound of the joined text is not below the sum of the
    // bounds.
    const content = [{ type: "text" as const, text: texts.join("\n") }, ...media]
    const counted = countRequestTokens({ model: countedAs, messages: [{ role: "user", content }] })
    estimate += counted.tokens
    upperBound += counted.upperBound
  } catch (error) {
    return rejectionOf(error)
  }
  if (unseen !== undefined) upperBound = Math.max(window!, upperBound)
  return { status: "counted", estimate, upperBound: Math.max(estimate, upperBound), isShown: unseen === undefined }
}

/** The records in a list; undefined if the value is not a list of records. */
export function recordsIn(value: unknown): Record<string, unknown>[] | undefined {
  return Array.isArray(value) && value.every(isRecord) ? value : undefined
}
