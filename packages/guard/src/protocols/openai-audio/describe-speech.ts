import { countTokens } from "@p2/tokens"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, rejected, rejectionOf, unbounded } from "../rejection"
import { checkFields } from "../variants/body-fields"
import { type CalledModel, calledModel } from "../variants/called-model"
import { SPEECH_FIELDS } from "./audio-fields"
import { SpeechMeter } from "./speech-meter"

type Body = Readonly<Record<string, unknown>>

/** Tokens of instructions that are not published. */
const ADDED_TOKENS = 256

/** Describes a call of OpenAI's speech API: its answer is an audio file, or a stream of events with `stream_format: "sse"`. */
export function describeSpeech(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (call.method !== "POST" || !call.url.pathname.endsWith("/audio/speech")) return undefined
  if (call.body.kind !== "json") return rejected("invalid-body", "The body of a speech call must be a JSON object.")
  const body = call.body.value
  const model = calledModel(call, body, context)
  if (model.status === "rejected") return model
  return checkFields(body, [SPEECH_FIELDS]) ?? describePriced(body, model, context)
}

function describePriced(body: Body, model: CalledModel, context: ProtocolContext): PricedCall | Rejection {
  const { input, instructions = "" } = body
  if (typeof input !== "string") return invalidBody("input", "a string")
  if (typeof instructions !== "string") return invalidBody("instructions", "a string")
  const isByCharacter = model.price.rates.character !== undefined
  // UTF-16 code units, which are never fewer than the code points.
  const characters = isByCharacter ? input.length : undefined
  const output = isByCharacter ? 0 : context.maxSpeechTokens
  if (output === undefined)
    return unbounded(
      `speech of ${model.countedAs}`,
      "it is billed by the tokens of the audio, and no source lists their maximum",
      "Pass `maxSpeechTokens` with the most output tokens that you accept.",
    )
  const counted = isByCharacter ? NO_TOKENS : countText([input, instructions], model)
  if (counted.status === "rejected") return counted
  const isStreamed = body.stream_format === "sse"
  return {
    status: "priced",
    provider: model.provider.name,
    model: model.model,
    priceKey: model.priceKey,
    input: { estimate: counted.estimate, upperBound: counted.upperBound },
    maxOutputTokens: output,
    // The API has no output limit.
    minOutputTokens: output,
    boundOptions: {
      choices: 1,
      ...(characters !== undefined && { inputCharacters: characters }),
      region: model.region,
      serviceTier: undefined,
      cacheWrites: "none",
      ...(!isByCharacter && { inputModalities: ["text"], outputModalities: outputModalities(model) }),
    },
    streamed: isStreamed,
    answersWithFile: !isStreamed,
    bodyToSend: () => ({ ...body }),
    createMeter: () => new SpeechMeter({ characters, maxOutputTokens: output }),
  }
}

const NO_TOKENS = { status: "counted", estimate: 0, upperBound: 0 } as const

/** A speech model that lists one output price has it for audio. */
function outputModalities({ price }: CalledModel): ["audio"] | ["text"] {
  return price.rates.audioOutput === undefined ? ["text"] : ["audio"]
}

function countText(texts: readonly string[], { countedAs }: CalledModel) {
  try {
    const sum = (countBy: "estimate" | "upperBound") =>
      texts.reduce(
        (total, text) => total + countTokens(text, { model: countedAs, ...(countBy === "upperBound" && { countBy }) }),
        0,
      )
    const upperBound = sum("upperBound") + ADDED_TOKENS
    return { status: "counted" as const, estimate: Math.min(sum("estimate"), upperBound), upperBound }
  } catch (error) {
    return rejectionOf(error)
  }
}
