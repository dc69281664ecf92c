import { countTexts } from "../counted-input"
import { fieldsOfBody, isFile, isSwitchedOn, itemsOf } from "../form-fields"
import type { CallDescription, FormFile, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, rejected, unbounded } from "../rejection"
import { checkFields, countedFields } from "../variants/body-fields"
import { type CalledModel, calledModel } from "../variants/called-model"
import { pricedCall } from "../variants/priced-call"
import { TRANSCRIPTION_FIELDS } from "./audio-fields"
import { audioSeconds } from "./audio-seconds"
import { TranscriptionMeter } from "./transcription-meter"

type Body = Readonly<Record<string, unknown>>

/** Maximum tokens per second of audio, as in `@p2/tokens`; OpenAI bills 10. */
const TOKENS_PER_SECOND = 32
const USUAL_TOKENS_PER_SECOND = 10
/** Tokens of the instructions and of the markup around the audio, which are not published. */
const ADDED_TOKENS = 256

/**
 * Maximum output tokens of a transcription: https://platform.openai.com/docs/models/gpt-4o-transcribe (as of
 * 2026-11-30)
 */
const MAX_OUTPUT_TOKENS = 2_000

/** Describes a call to OpenAI's transcription or translation API. */
export function describeTranscription(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (call.method !== "POST" || !/\/audio\/(transcriptions|translations)$/.test(call.url.pathname)) return undefined
  const body = fieldsOfBody(call.body)
  if (call.body.kind !== "form" || body === undefined)
    return rejected("invalid-body", "The body of a transcription must be a multipart form.")
  const model = calledModel(call, body, context)
  if (model.status === "rejected") return model
  const rejection = checkFields(body, [TRANSCRIPTION_FIELDS])
  if (rejection !== undefined) return rejection
  const { file } = body
  if (!isFile(file)) return invalidBody("file", "one audio file")
  const seconds = audioSeconds(file, context.maxAudioSeconds)
  return model.price.rates.second === undefined
    ? byTokens({ body, file, model, seconds })
    : bySecond(body, model, seconds)
}

function bySecond(body: Body, model: CalledModel, seconds: number | undefined): PricedCall | Rejection {
  if (seconds === undefined) return unknownLength(`${model.countedAs} is billed by the second`)
  // A provider may round the length up.
  return describePriced(body, model, { input: { estimate: 0, upperBound: 0 }, output: 0, audioSeconds: seconds + 1 })
}

function unknownLength(because: string): Rejection {
  return unbounded(
    "compressed audio",
    `${because}, and the bytes of the file do not prove its length`,
    "Send it as uncompressed WAV in a file named `*.wav`. Or pass `maxAudioSeconds` with the most seconds that a file may have.",
  )
}

/** A transcription that is billed by tokens. */
interface TokenCall {
  body: Body
  file: FormFile
  model: CalledModel
  seconds: number | undefined
}

function byTokens({ body, model, seconds }: TokenCall): PricedCall | Rejection {
  const { window, price } = model
  const output = price.basis === "custom" ? (price.maxOutputTokens ?? MAX_OUTPUT_TOKENS) : MAX_OUTPUT_TOKENS
  const input = inputOf(body, model, seconds)
  if (input.status === "rejected") return input
  // No call can exceed the window.
  const isCounted = seconds !== undefined && itemsOf(body.known_speaker_references).length === 0
  const upperBound = Math.min(
    isCounted ? input.upperBound : Number.POSITIVE_INFINITY,
    window ?? Number.POSITIVE_INFINITY,
  )
  if (upperBound === Number.POSITIVE_INFINITY)
    return unknownLength(`the context window of ${model.countedAs} is unknown`)
  return describePriced(body, model, {
    input: { estimate: Math.min(input.estimate, upperBound), upperBound },
    output,
    audioSeconds: undefined,
  })
}

function inputOf(body: Body, model: CalledModel, seconds = 0) {
  const texts = countTexts(countedFields(body, [TRANSCRIPTION_FIELDS]), model)
  if (texts.status === "rejected") return texts
  const upperBound = seconds * TOKENS_PER_SECOND + ADDED_TOKENS + 2 * texts.upperBound
  const estimate = Math.ceil(seconds * USUAL_TOKENS_PER_SECOND) + texts.estimate
  return { status: "counted" as const, estimate: Math.min(estimate, upperBound), upperBound }
}

interface Bounds {
  input: { estimate: number; upperBound: number }
  output: number
  audioSeconds: number | undefined
}

function describePriced(body: Body, model: CalledModel, { input, output, audioSeconds }: Bounds): PricedCall {
  const isBySecond = audioSeconds !== undefined
  return pricedCall(model, {
    input,
    maxOutputTokens: output,
    // The API has no output limit.
    minOutputTokens: output,
    boundOptions: {
      choices: 1,
      ...(isBySecond && { audioSeconds }),
      serviceTier: undefined,
      cacheWrites: "none",
      ...(!isBySecond && { inputModalities: ["text", "audio"], outputModalities: ["text"] }),
    },
    streamed: isSwitchedOn(body.stream),
    bodyToSend: () => ({ ...body }),
    createMeter: () => new TranscriptionMeter({ isBySecond }),
  })
}
