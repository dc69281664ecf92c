/** Rates of an image model in pico-USD per token. */
export interface ImageRates {
  text: number
  image: number
  output: number
  /** Text that the model writes before the image; 0: none. */
  textOutput: number
}

/** USD per million tokens. */
function imageRates(text: number, image: number, output: number, textOutput = 0): ImageRates {
  return { text: text * 1e6, image: image * 1e6, output: output * 1e6, textOutput: textOutput * 1e6 }
}

/** Written by hand from https://developers.openai.com/api/docs/pricing (2026-11-05), independent of `@p2/pricing`. */
export const IMAGE_RATES: Readonly<Record<string, ImageRates>> = {
  "gpt-image-1": imageRates(5, 10, 40),
  "gpt-image-1-mini": imageRates(2, 2.5, 8),
  "gpt-image-1.5": imageRates(5, 8, 32, 10),
  "gpt-image-2": imageRates(5, 8, 30),
}

/** Tokens of an image of the first models. https://developers.openai.com/api/docs/guides/image-generation */
const FIRST_MODELS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "1024x1024": { low: 272, medium: 1056, high: 4160 },
  "1024x1536": { low: 408, medium: 1584, high: 6240 },
  "1536x1024": { low: 400, medium: 1568, high: 6208 },
}

/** Sizes that the model may choose itself. */
export const OWN_SIZES = ["1024x1024", "1024x1536", "1536x1024"]

/** Output tokens of one image; undefined: the size or the quality is invalid. */
export function tokensOfImage(model: string, size: string, quality: string): number | undefined {
  if (model !== "gpt-image-2") return FIRST_MODELS[size]?.[quality]
  const [width = 0, height = 0] = size.split("x").map(Number)
  const across = { low: 16, medium: 48, high: 96 }[quality]
  if (across === undefined || width % 16 !== 0 || height % 16 !== 0 || !(width * height > 0)) return undefined
  const ratio = Math.max(width, height) / Math.min(width, height)
  if (ratio > 3 || width * height > 8_294_400) return undefined
  return Math.ceil((across * Math.round(across / ratio) * (2e6 + width * height)) / 4e6)
}

/** Tokens of an image that is edited: tiles of 512 × 512, or patches of 32 × 32, whose number is limited. */
export function tokensOfInputImage(model: string, pixels: number, isHighFidelity: boolean): number {
  if (model === "gpt-image-2") return Math.min(1_536, Math.max(1, Math.ceil(pixels / 1_024)))
  return 65 + 129 * Math.min(4, 1 + (pixels % 4)) + (isHighFidelity ? 6_240 : 0)
}
