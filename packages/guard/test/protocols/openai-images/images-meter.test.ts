import { describe, expect, it } from "vitest"
import { ImagesMeter } from "../../../src/protocols/openai-images/images-meter"

const usage = {
  input_tokens: 50,
  input_tokens_details: { text_tokens: 50, image_tokens: 0 },
  output_tokens: 272,
  total_tokens: 322,
}
const image = { b64_json: "AAAA" }

function meterOf(images = 1, isByImage = false): ImagesMeter {
  return new ImagesMeter({ images, maxOutputTokens: 500, isByImage })
}

function readBody(body: unknown, meter = meterOf()) {
  meter.add({ event: undefined, data: body, text: "" })
  meter.end()
  return meter.read()
}

function readEvents(events: Record<string, unknown>[], meter = meterOf()) {
  for (const data of events) meter.add({ event: String(data.type), data, text: "" })
  meter.end()
  return meter.read()
}

const completed = { type: "image_generation.completed", ...image, usage }
const partial = { type: "image_generation.partial_image", ...image, partial_image_index: 0 }

describe("a body of images", () => {
  it("has the usage of all images", () => {
    expect(readBody({ created: 1, data: [image], usage })).toMatchObject({
      state: "complete",
      usage: { usage: { inputTokens: 50, outputTokens: 272, imageOutputTokens: 272 } },
    })
  })

  it("has the images themselves for a model that is billed by them", () => {
    const reading = readBody({ data: [image, image] }, meterOf(2, true))
    expect(reading.usage?.usage).toMatchObject({ outputImages: 2 })
  })

  it.each([
    ["no usage", { data: [image] }],
    ["zero tokens", { data: [image], usage: { ...usage, output_tokens: 0, total_tokens: 50 } }],
    ["an unknown count", { data: [image], usage: { ...usage, sketch_tokens: 9 } }],
    ["the usage of an SVG", { data: [image], usage, svg_usage: { model: "gpt-5.5", output_tokens: 900 } }],
  ])("is in doubt with %s", (_name, body) => {
    const reading = readBody(body)
    expect(reading).toMatchObject({ state: "complete", usage: undefined, receivedOutputTokens: 500 })
  })

  it.each([[{ error: { message: "no", code: "moderation_blocked" } }], [{}], ["text"], [undefined]])(
    "is broken as %j",
    (body) => {
      expect(readBody(body)).toMatchObject({ state: "broken", usage: undefined })
    },
  )
})

describe("a stream of images", () => {
  it("ends with the usage", () => {
    expect(readEvents([partial, completed])).toMatchObject({
      state: "complete",
      usage: { usage: { outputTokens: 272 } },
    })
  })

  it("has a usage for each image", () => {
    const reading = readEvents([partial, completed, partial, completed], meterOf(2))
    expect(reading).toMatchObject({ state: "complete", usage: { usage: { inputTokens: 100, outputTokens: 544 } } })
  })

  it("is in doubt if an image has no usage, or does not arrive", () => {
    const { usage: _, ...without } = completed
    expect(readEvents([completed, without], meterOf(2))).toMatchObject({ state: "complete", usage: undefined })
    expect(readEvents([completed, partial], meterOf(2))).toMatchObject({
      state: "open",
      usage: undefined,
      usageLowerBound: { usage: { outputTokens: 272 } },
    })
  })

  it("is broken by an error", () => {
    expect(readEvents([partial, { type: "error", error: { message: "no" } }])).toMatchObject({ state: "broken" })
  })
})
