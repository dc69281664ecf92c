import type { Fault } from "../faults"
import { densestCount, usualCount } from "../text-count"
import { integerOf, isTrue, type MediaRequest } from "./fields"
import { IMAGE_RATES, type ImageRates, OWN_SIZES, tokensOfImage, tokensOfInputImage } from "./rates"
import { BadRequest, type MediaAnswer } from "./send"

/** Text tokens that are billed in addition to the prompt, and for each edited image. */
const PROMPT_TOKENS = 6
const TEXT_TOKENS_PER_IMAGE = 41

const PIXEL = "iVBORw0KGgo="

interface Tokens {
  text: number
  image: number
  output: number
  textOutput: number
}

/** Generates or edits images. The images of a call are billed like separate calls. */
export function answerImages({ fields, files }: MediaRequest, fault: Fault): MediaAnswer {
  const model = String(fields.model).replace(/-20\d\d-\d\d-\d\d$/, "")
  const rates = IMAGE_RATES[model]
  if (rates === undefined) throw new BadRequest(`The model \`${fields.model}\` does not exist.`)
  const images = integerOf(fields.n, 1)
  if (images < 1 || images > 10) throw new BadRequest("'n' must be between 1 and 10.")
  const isStreamed = isTrue(fields.stream)
  const partials = isStreamed ? Math.min(3, integerOf(fields.partial_images, 0)) : 0
  const count = fault.densestTokens ? densestCount : usualCount
  const perImage: Tokens = {
    text: count(String(fields.prompt ?? "")) + PROMPT_TOKENS + files.length * TEXT_TOKENS_PER_IMAGE,
    image: files.reduce(
      (sum, { file }) => sum + tokensOfInputImage(model, file.size * 1_000, fields.input_fidelity === "high"),
      0,
    ),
    output: outputTokens(model, fields, fault) + 100 * partials,
    textOutput: rates.textOutput > 0 ? 209 : 0,
  }
  const total = times(perImage, images)
  return {
    units: unitsOf(total, rates),
    promptTokens: total.text + total.image,
    completionTokens: total.output + total.textOutput,
    isReported: !fault.noUsage,
    body: isStreamed
      ? { kind: "events", events: eventsOf(perImage, { images, partials, isEdit: files.length > 0, fault }) }
      : { kind: "json", value: bodyOf(total, images, fault) },
  }
}

/** With `auto` the model chooses: the best image if the fault requests the maximum output. */
function outputTokens(model: string, { size, quality }: Record<string, unknown>, { fillOutput }: Fault): number {
  const sizes = isOpen(size) ? OWN_SIZES : [String(size)]
  const qualities = isOpen(quality) ? ["low", "medium", "high"] : [String(quality)]
  const counts = sizes.flatMap((each) => qualities.map((name) => tokensOfImage(model, each, name)))
  if (counts.some((each) => each === undefined)) throw new BadRequest("Invalid size or quality.")
  return fillOutput ? Math.max(...(counts as number[])) : Math.min(...(counts as number[]))
}

function isOpen(value: unknown): boolean {
  return value === undefined || value === null || value === "auto"
}

function times(tokens: Tokens, factor: number): Tokens {
  return Object.fromEntries(Object.entries(tokens).map(([name, each]) => [name, each * factor])) as unknown as Tokens
}

function unitsOf(tokens: Tokens, rates: ImageRates): MediaAnswer["units"] {
  return (["text", "image", "output", "textOutput"] as const)
    .filter((kind) => tokens[kind] > 0)
    .map((kind) => ({ kind, count: tokens[kind], picoUsdPerUnit: rates[kind] }))
}

function usageOf({ text, image, output, textOutput }: Tokens): Record<string, unknown> {
  return {
    input_tokens: text + image,
    input_tokens_details: { text_tokens: text, image_tokens: image },
    output_tokens: output + textOutput,
    ...(textOutput > 0 && { output_tokens_details: { image_tokens: output, text_tokens: textOutput } }),
    total_tokens: text + image + output + textOutput,
  }
}

function bodyOf(tokens: Tokens, images: number, fault: Fault): Record<string, unknown> {
  const data = Array.from({ length: images }, () => ({ b64_json: PIXEL }))
  return { created: 1, data, ...(!fault.noUsage && { usage: usageOf(tokens) }) }
}

interface StreamedImages {
  images: number
  partials: number
  isEdit: boolean
  fault: Fault
}

function eventsOf(tokens: Tokens, { images, partials, isEdit, fault }: StreamedImages) {
  const name = isEdit ? "image_edit" : "image_generation"
  return Array.from({ length: images }).flatMap(() => [
    ...Array.from({ length: partials }, (_, index) => ({
      type: `${name}.partial_image`,
      b64_json: PIXEL,
      partial_image_index: index,
    })),
    { type: `${name}.completed`, b64_json: PIXEL, ...(!fault.noUsage && { usage: usageOf(tokens) }) },
  ])
}
