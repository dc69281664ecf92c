import type { ContentPart } from "@p2/core"
import type { Modality } from "@p2/pricing"
import { countTokens } from "@p2/tokens"
import { type CountableInput, countInput } from "../protocols/counted-input"
import { recordsIn } from "../protocols/prompt-parts"
import type { Rejection } from "../protocols/protocol"
import { invalidBody, rejectionOf, unbounded } from "../protocols/rejection"
import { calledModel, providerOf } from "./called-model"
import { checkHeaders, type DescribedModelCall } from "./describe-language"
import { addFile } from "./input/file-input"
import { readProviderOptions } from "./input/provider-options"
import type { ModelGuard } from "./middleware-options"
import type { EmbeddingCall, ImageCall, SpecifiedModel } from "./specification"

/** Tokens that mark the start and end of a text, and a sentence that some providers put before it. */
const TOKENS_PER_VALUE = 4 + 32

/** Describes what an embedding model call can cost. */
export function describeEmbedding(
  model: SpecifiedModel,
  call: EmbeddingCall,
  guard: ModelGuard,
): DescribedModelCall | Rejection {
  const called = calledModel(model, guard)
  if (called.status === "rejected") return called
  const { values } = call
  if (!Array.isArray(values) || !values.every((value) => typeof value === "string"))
    return invalidBody("values", "an array of strings")
  const input = emptyInput()
  const free = guard.freeProviderOptions
  const options = readProviderOptions(call, input, { provider: providerOf(model), free })
  if (options.status === "rejected") return options
  const rejection = checkHeaders(call.headers)
  if (rejection !== undefined) return rejection
  let [estimate, upperBound] = [0, 0]
  try {
    for (const text of [...(values as string[]), ...input.otherText]) {
      estimate += countTokens(text, { model: called.countedAs })
      upperBound += countTokens(text, { model: called.countedAs, countBy: "upperBound" }) + TOKENS_PER_VALUE
    }
  } catch (error) {
    return rejectionOf(error)
  }
  return {
    status: "described",
    provider: called.provider.name,
    model: called.model,
    priceKey: called.priceKey,
    input: { estimate, upperBound: Math.max(estimate, upperBound) },
    maxOutputTokens: 0,
    minOutputTokens: 0,
    limitToSend: () => undefined,
    tierToSend: undefined,
    boundOptions: {
      choices: 1,
      serviceTier: undefined,
      region: called.region,
      cacheWrites: "none",
      inputModalities: ["text"],
      outputModalities: ["text"],
    },
  }
}

/** Describes what an image model call can cost: per image, or by the tokens of its images. */
export function describeImage(
  model: SpecifiedModel,
  call: ImageCall,
  guard: ModelGuard,
): DescribedModelCall | Rejection {
  const called = calledModel(model, guard)
  if (called.status === "rejected") return called
  const { n, prompt, files, mask } = call
  if (!Number.isSafeInteger(n) || (n as number) < 1) return invalidBody("n", "an integer of at least 1")
  const images = n as number
  const input = emptyInput()
  const shown: ContentPart[] = typeof prompt === "string" ? [{ type: "text", text: prompt }] : []
  for (const [index, file] of (recordsIn([files ?? [], mask ?? []].flat()) ?? []).entries()) {
    const part = file.type === "url" ? { type: "image-url", url: file.url } : { ...file, mediaType: "image" }
    const rejection = addFile(input, shown, part, `files[${index}]`)
    if (rejection !== undefined) return rejection
  }
  input.messages.push({ role: "user", content: shown })
  const free = guard.freeProviderOptions
  const options = readProviderOptions(call, input, { provider: providerOf(model), free })
  if (options.status === "rejected") return options
  const rejection = checkHeaders(call.headers)
  if (rejection !== undefined) return rejection
  const isByImage = called.price.rates.image !== undefined
  if (!isByImage && guard.maxImageTokens === undefined)
    return unbounded(
      `an image of ${called.countedAs}`,
      "it is billed by its tokens, and their number depends on the size and quality",
      "Pass `maxImageTokens` with the most that the provider documents for them.",
    )
  const counted = countInput(called, input)
  if (counted.status === "rejected") return counted
  return {
    status: "described",
    provider: called.provider.name,
    model: called.model,
    priceKey: called.priceKey,
    input: { estimate: counted.estimate, upperBound: counted.upperBound },
    maxOutputTokens: isByImage ? 0 : guard.maxImageTokens,
    minOutputTokens: isByImage ? 0 : guard.maxImageTokens!,
    limitToSend: () => undefined,
    tierToSend: undefined,
    boundOptions: {
      choices: images,
      ...(isByImage && { outputImages: images }),
      serviceTier: undefined,
      region: called.region,
      inputModalities: input.modalities && [...input.modalities],
    },
  }
}

function emptyInput(): CountableInput {
  return {
    messages: [],
    tools: [],
    answerFormat: undefined,
    otherText: [],
    addedTokens: 0,
    unseen: [],
    modalities: new Set<Modality>(["text"]),
  }
}
