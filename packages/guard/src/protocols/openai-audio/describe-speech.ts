import { countTexts } from "../counted-input"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"
import { checkFields } from "../variants/body-fields"
import type { CalledModel } from "../variants/called-model"
import { pricedCall, readJSONCall } from "../variants/priced-call"
import { SPEECH_FIELDS } from "./audio-fields"
import { SpeechMeter } from "./speech-meter"

type Body = Readonly<Record<string, unknown>>

/** Tokens of unpublished instructions. */
const ADDED_TOKENS = 256

/**
 * Describes a call to OpenAI's speech API: its answer is an audio file, or a stream of events with `stream_format:
 * "sse"`.
 */
export function describeSpeech(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (call.method !== "POST" || !call.url.pathname.endsWith("/audio/speech")) return undefined
  const read = readJSONCall(call, context, "a speech call")
  if (read.status === "rejected") return read
  const { body, model } = read
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
  const counted = countTexts(isByCharacter ? [] : [input, instructions], model)
  if (counted.status === "rejected") return counted
  const inputUpperBound = isByCharacter ? 0 : counted.upperBound + ADDED_TOKENS
  const isStreamed = body.stream_format === "sse"
  return pricedCall(model, {
    input: { estimate: Math.min(counted.estimate, inputUpperBound), upperBound: inputUpperBound },
    maxOutputTokens: output,
    // The API has no output limit.
    minOutputTokens: output,
    boundOptions: {
      choices: 1,
      ...(characters !== undefined && { inputCharacters: characters }),
      serviceTier: undefined,
      cacheWrites: "none",
      ...(!isByCharacter && { inputModalities: ["text"], outputModalities: outputModalities(model) }),
    },
    streamed: isStreamed,
    answersWithFile: !isStreamed,
    bodyToSend: () => ({ ...body }),
    createMeter: () => new SpeechMeter({ characters, maxOutputTokens: output }),
  })
}

/** A speech model that lists one output price has it for audio. */
function outputModalities({ price }: CalledModel): ["audio"] | ["text"] {
  return price.rates.audioOutput === undefined ? ["text"] : ["audio"]
}
