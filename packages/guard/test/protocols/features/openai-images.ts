import type { FormFile } from "../../../src/protocols"
import type { FeatureTable } from "./feature"

const GUIDE = "[image generation](https://developers.openai.com/api/docs/guides/image-generation)"
const REFERENCE = "[API reference](https://platform.openai.com/docs/api-reference/images)"
const PRICES = "[pricing](https://developers.openai.com/api/docs/pricing)"

const image: FormFile = { name: "a.png", type: "image/png", size: 5_000, head: new Uint8Array(64) }

export const IMAGES: FeatureTable = {
  title: "Image generations",
  endpoint: "https://api.openai.com/v1/images/generations",
  model: "gpt-image-2",
  body: { prompt: "A red balloon", size: "1024x1024", quality: "medium" },
  rows: [
    {
      feature: "`prompt`",
      body: { prompt: "A red balloon over a blue lake" },
      bounded: "tokens of the text, and 64",
      source: "[billed calls](https://community.openai.com/t/1382940) have 6",
      bound: "higher",
    },
    {
      feature: "`size`, `quality` of `gpt-image-2`",
      body: { quality: "high" },
      bounded: "the formula of OpenAI's calculator; with `auto`, the most of any size and quality",
      source: `${GUIDE}, [its formula](https://community.openai.com/t/1382699)`,
      bound: "higher",
    },
    {
      feature: "a larger image of another shape",
      body: { size: "1536x1024" },
      bounded: "the same formula, which gives fewer tokens",
      source: "[billed calls](https://community.openai.com/t/1379464)",
      bound: "lower",
    },
    {
      feature: "`size`, `quality` of `gpt-image-1` and `gpt-image-1-mini`",
      model: "gpt-image-1-mini",
      body: { size: "auto" },
      bounded: "the table of tokens; with `auto`, its largest number",
      source: GUIDE,
      bound: "higher",
    },
    {
      feature: "`n`",
      body: { n: 3 },
      bounded: "input and output × n",
      source: "[billed calls](https://community.openai.com/t/1382940)",
      bound: "higher",
    },
    {
      feature: "`stream`, `partial_images`",
      body: { stream: true, partial_images: 2 },
      bounded: "100 output tokens for each partial image",
      source: GUIDE,
      bound: "higher",
    },
    {
      feature: "qualities and models without a listed number of tokens, with `maxImageTokens`",
      body: { quality: "xhigh" },
      options: { maxImageTokens: 20_000 },
      bounded: "`maxImageTokens`, which the caller states",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`complexity`, GIF with `frame_count`, with `maxImageTokens`",
      body: { complexity: "high", output_format: "gif", frame_count: 4 },
      options: { maxImageTokens: 20_000 },
      bounded: "`maxImageTokens`, which the caller states",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "DALL·E, which is billed by the image",
      model: "dall-e-3",
      body: { size: "1024x1792", quality: "hd", style: "vivid", response_format: "url" },
      bounded: "the price of the size and quality × n; without them, the highest one",
      source: PRICES,
      bound: "equal",
    },
    {
      feature:
        "`background`, `moderation`, `output_compression`, `output_format`, `frame_duration_ms`, `response_format`, `style`, `user`, `safety_identifier`",
      body: {
        background: "opaque",
        moderation: "low",
        output_compression: 80,
        output_format: "webp",
        frame_duration_ms: 100,
        response_format: "b64_json",
        style: "natural",
        user: "u",
        safety_identifier: "s",
      },
      bounded: "not billed",
      source: REFERENCE,
      bound: "equal",
    },
    { feature: "qualities without a listed number of tokens", body: { quality: "max" }, rejected: "unbounded-cost" },
    {
      feature: "models without a listed number of tokens: `gpt-image-1.5` bills text that it writes before the image",
      model: "gpt-image-1.5",
      body: {},
      rejected: "unbounded-cost",
    },
    { feature: "`complexity`", body: { complexity: "low" }, rejected: "unbounded-cost" },
    { feature: "`frame_count`", body: { frame_count: 9 }, rejected: "unbounded-cost" },
    { feature: '`output_format: "gif"`', body: { output_format: "gif" }, rejected: "unbounded-cost" },
    { feature: '`output_format: "svg"`', body: { output_format: "svg" }, rejected: "unbounded-cost" },
    { feature: "`svg`", body: { svg: { model: "gpt-5.5" } }, rejected: "unbounded-cost" },
    { feature: "unknown models", model: "gpt-image-9", body: {}, rejected: "unknown-model" },
    { feature: "unknown sizes", body: { size: "huge" }, rejected: "invalid-body" },
    { feature: "an invalid `n`", body: { n: 11 }, rejected: "invalid-body" },
    { feature: "other formats", body: { output_format: "SVG" }, rejected: "invalid-body" },
    { feature: "a negative `partial_images`", body: { partial_images: -1 }, rejected: "invalid-body" },
    { feature: "unknown fields", body: { surprise: true }, rejected: "unknown-field" },
  ],
}

export const IMAGE_EDITS: FeatureTable = {
  title: "Image edits",
  endpoint: "https://api.openai.com/v1/images/edits",
  model: "gpt-image-2",
  body: { prompt: "A red balloon", size: "1024x1024", quality: "medium", image },
  isForm: true,
  rows: [
    {
      feature: "`image` (one or several), `images`",
      body: { image: [image, image] },
      bounded:
        "the most tokens of an image: 7,337 with `gpt-image-1` and 1.5, 3,779 with `gpt-image-2`, 24,600 with others",
      source: `${GUIDE}, [vision](https://developers.openai.com/api/docs/guides/images-vision#calculating-costs), [billed calls](https://community.openai.com/t/1382940)`,
      bound: "higher",
    },
    {
      feature: "`mask`, `markup`",
      body: { mask: image, markup: image },
      bounded: "as an image",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`input_fidelity`",
      model: "gpt-image-1-mini",
      body: { input_fidelity: "high" },
      bounded: "in the most tokens of an image",
      source: GUIDE,
      bound: "equal",
    },
    {
      feature: "`n`, `size`, `quality` as strings of a form",
      body: { n: "2" },
      bounded: "as in generations",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "variations of DALL·E 2",
      endpoint: "https://api.openai.com/v1/images/variations",
      model: "dall-e-2",
      body: { n: "1" },
      bounded: "the price of the size × n",
      source: PRICES,
      bound: "equal",
    },
    { feature: "a field with one value that occurs twice", body: { n: ["1", "10"] }, rejected: "invalid-body" },
    {
      feature: "`output_format` that occurs twice: servers disagree which value counts",
      body: { output_format: ["png", "svg"] },
      rejected: "invalid-body",
    },
    { feature: "a negative `partial_images`", body: { partial_images: "-1" }, rejected: "invalid-body" },
    {
      feature: "images whose number is unknown",
      body: { image: [[image, image]] },
      rejected: "invalid-body",
    },
    { feature: "`svg[model]`", body: { "svg[model]": "gpt-5.5" }, rejected: "unknown-field" },
  ],
}
