import { isRecord } from "@p2/core"
import { countTexts } from "../counted-input"
import { fieldsOfBody, integerField, isFile, isSwitchedOn, itemsOf } from "../form-fields"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, rejected } from "../rejection"
import { checkFields } from "../variants/body-fields"
import { type CalledModel, calledModel } from "../variants/called-model"
import { pricedCall } from "../variants/priced-call"
import { IMAGE_FIELDS } from "./image-fields"
import { imageTokens, inputImageTokens } from "./image-tokens"
import { ImagesMeter } from "./images-meter"

type Body = Readonly<Record<string, unknown>>

/** The API rejects a call for more images. */
const MAX_IMAGES = 10

/**
 * Text tokens of a prompt in addition to its text: 6 were billed for generations, and up to 41 more for each edited image.
 * https://community.openai.com/t/1382940 (as of 2026-06-25)
 */
const PROMPT_TOKENS = 64
const TEXT_TOKENS_PER_IMAGE = 128

/** Describes a call to OpenAI's Image API: generations, edits or variations. */
export function describeImages(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (call.method !== "POST" || !/\/images\/(generations|edits|variations)$/.test(call.url.pathname)) return undefined
  const body = fieldsOfBody(call.body)
  if (body === undefined)
    return rejected("invalid-body", "The body of an image call must be a JSON object or a multipart form.")
  const model = calledModel(call, body, context)
  if (model.status === "rejected") return model
  return checkFields(body, [IMAGE_FIELDS]) ?? describePriced(body, model, context)
}

function describePriced(body: Body, model: CalledModel, context: ProtocolContext): PricedCall | Rejection {
  const images = integerField(body.n) ?? 1
  if (images === "invalid" || images < 1 || images > MAX_IMAGES)
    return invalidBody("n", `an integer from 1 to ${MAX_IMAGES}`)
  const prompt = body.prompt ?? ""
  if (typeof prompt !== "string") return invalidBody("prompt", "a string")
  const output = outputOf(body, model, context)
  if (output.status === "rejected") return output
  const input = inputOf(body, prompt, model)
  if (input.status === "rejected") return input
  const { isByImage } = output
  const isStreamed = isSwitchedOn(body.stream)
  return pricedCall(model, {
    priceKey: output.priceKey,
    // Several images are billed as separate calls: https://community.openai.com/t/1382940 (as of 2026-06-12)
    input: { estimate: isByImage ? 0 : images * input.estimate, upperBound: isByImage ? 0 : images * input.upperBound },
    maxOutputTokens: output.tokens,
    // An image cannot be shortened.
    minOutputTokens: output.tokens,
    boundOptions: {
      choices: images,
      ...(isByImage && { outputImages: images }),
      serviceTier: undefined,
      cacheWrites: "none",
      ...(!isByImage && { inputModalities: ["text", "image"], outputModalities: ["image"] }),
    },
    streamed: isStreamed,
    bodyToSend: () => ({ ...body }),
    createMeter: () => new ImagesMeter({ images, maxOutputTokens: images * output.tokens, isByImage }),
  })
}

interface ImageOutput {
  status: "bounded"
  /** The id of the price: that of the size and quality, if it has one. */
  priceKey: string
  isByImage: boolean
  /** Maximum output tokens of one image; 0: billed per image. */
  tokens: number
}

function outputOf(body: Body, model: CalledModel, context: ProtocolContext): ImageOutput | Rejection {
  const size = body.size ?? undefined
  const quality = body.quality ?? undefined
  if (size !== undefined && typeof size !== "string") return invalidBody("size", 'a string such as "1024x1024"')
  if (quality !== undefined && typeof quality !== "string") return invalidBody("quality", 'a string such as "high"')
  if (model.price.rates.image !== undefined)
    return { status: "bounded", priceKey: priceKeyOfSize(model, size, quality, context), isByImage: true, tokens: 0 }
  const format = body.output_format ?? undefined
  if (format === "svg") return rejected("unbounded-cost", SVG)
  if (format !== undefined && !FORMATS.has(format))
    return invalidBody("output_format", '"png", "jpeg", "webp" or "gif"')
  const partialImages = integerField(body.partial_images) ?? 0
  if (partialImages === "invalid" || partialImages < 0) return invalidBody("partial_images", "an integer of at least 0")
  const name = bareName(model.countedAs)
  const { maxImageTokens } = context
  const unlisted = unlistedField(body)
  const bounded = imageTokens({ model: name, size, quality, partialImages, unlisted, maxImageTokens })
  if (bounded.status === "rejected") return bounded
  return { status: "bounded", priceKey: model.priceKey, isByImage: false, tokens: bounded.tokens }
}

/** The formats of an image that the model itself writes. */
const FORMATS: ReadonlySet<unknown> = new Set(["png", "jpeg", "webp", "gif"])

const SVG =
  'The cost of `output_format: "svg"` has no upper bound: another model writes the SVG, at its own price. Send "png".'

/** A field that changes the output tokens of an image in a way that no source lists. */
function unlistedField({ complexity, frame_count: frames, output_format: format }: Body): string | undefined {
  if ((complexity ?? undefined) !== undefined) return "complexity"
  if ((frames ?? undefined) !== undefined) return "frame_count"
  return format === "gif" ? "output_format" : undefined
}

/** The name without provider and date. */
function bareName(model: string): string {
  return model.slice(model.lastIndexOf("/") + 1).replace(/-20\d\d-\d\d-\d\d$/, "")
}

/** DALL·E has a price for each size and quality; a name without them has the most expensive one. */
function priceKeyOfSize(
  { priceKey, countedAs, provider }: CalledModel,
  size = "1024x1024",
  quality: string | undefined,
  { prices }: ProtocolContext,
): string {
  const edges = size.replace("x", "-x-")
  const name = bareName(countedAs)
  const key = [provider.name, ...(name === "dall-e-3" ? [quality === "hd" ? "hd" : "standard"] : []), edges, name].join(
    "/",
  )
  const isListed = quality === undefined || quality === "hd" || quality === "standard"
  return isListed && /^\d+-x-\d+$/.test(edges) && prices.findPrice(key) !== undefined ? key : priceKey
}

function inputOf(body: Body, prompt: string, model: CalledModel) {
  const { image, images, mask, markup } = body
  const items = [image, images, mask, markup].flatMap(itemsOf)
  if (!items.every(isOneImage)) return invalidBody("image", "images, each as a file, a URL or an id")
  const text = countTexts([prompt], model)
  if (text.status === "rejected") return text
  const perImage = inputImageTokens(bareName(model.countedAs)) + TEXT_TOKENS_PER_IMAGE
  const upperBound = text.upperBound + PROMPT_TOKENS + items.length * perImage
  const estimate = Math.min(text.estimate + items.length * USUAL_IMAGE_TOKENS, upperBound)
  return { status: "counted" as const, estimate, upperBound }
}

/** Whether a value is one image, and not a collection whose number of images a server decides. */
function isOneImage(value: unknown): boolean {
  if (typeof value === "string" || isFile(value)) return true
  return isRecord(value) && (typeof value.image_url === "string" || typeof value.file_id === "string")
}

/** Input tokens of an image of 1024 × 1024. */
const USUAL_IMAGE_TOKENS = 1_024
