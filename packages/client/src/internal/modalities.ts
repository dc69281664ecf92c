import type { Message } from "@p2/core"
import type { Modality } from "@p2/pricing"

export const TEXT: readonly Modality[] = ["text"]

/** What the input consists of; undefined, which is everything that the model has a rate for, where there is a file. */
export function modalitiesOf(messages: readonly Message[]): readonly Modality[] | undefined {
  const types = messages.flatMap(({ content }) => (Array.isArray(content) ? content.map(({ type }) => type) : []))
  if (types.includes("file")) return undefined
  const image = types.includes("image_url") ? (["image"] as const) : []
  const audio = types.includes("input_audio") ? (["audio"] as const) : []
  return [...TEXT, ...image, ...audio]
}
