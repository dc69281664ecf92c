import type { Draw } from "../draw"
import type { FuzzedProtocol } from "../fuzz-ledger"

/** Generations and edits. The model chooses what the call does not state, sometimes the most expensive option. */
export const images: FuzzedProtocol = {
  name: "openai-images",
  // `gpt-image-1.5` writes text before the image, whose tokens no source lists.
  options: { maxImageTokens: 10_000 },
  draw(draw, provider) {
    const isEdit = draw.chance(0.4)
    const path = isEdit ? "/images/edits" : "/images/generations"
    const fields = drawFields(draw)
    return {
      url: `https://api.openai.com/v1${path}`,
      sentTo: `${provider.baseURL}${path}`,
      headers: {},
      body: isEdit ? formOf(draw, fields) : fields,
      fault: {
        ...draw.maybe(0.5, () => ({ fillOutput: true })),
        ...draw.maybe(0.4, () => ({ densestTokens: true })),
        ...draw.maybe(0.1, () => ({ noUsage: true })),
        ...draw.maybe(0.1, () => ({ cut: draw.pick(["body", "stream"] as const) })),
      },
    }
  },
}

function drawFields(draw: Draw): Record<string, unknown> {
  const model = draw.pick(["gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-2", "gpt-image-2-2026-04-21"])
  const isStreamed = draw.chance(0.3)
  return {
    model,
    prompt: draw.text(30),
    ...draw.maybe(0.7, () => ({ size: drawSize(draw, model) })),
    ...draw.maybe(0.7, () => ({ quality: draw.pick(["low", "medium", "high", "auto"]) })),
    ...draw.maybe(0.5, () => ({ n: draw.between(1, 10) })),
    ...(isStreamed && { stream: true, ...draw.maybe(0.7, () => ({ partial_images: draw.between(0, 3) })) }),
    ...draw.maybe(0.3, () => ({ output_format: draw.pick(["png", "webp"]), background: "opaque", user: "u" })),
  }
}

function drawSize(draw: Draw, model: string): string {
  const usual = ["1024x1024", "1024x1536", "1536x1024", "auto"]
  if (!model.startsWith("gpt-image-2") || draw.chance(0.3)) return draw.pick(usual)
  return `${16 * draw.between(40, 180)}x${16 * draw.between(40, 180)}`
}

function formOf(draw: Draw, fields: Record<string, unknown>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
  const files = draw.between(1, 4)
  for (let index = 0; index < files; index++)
    form.append(files > 1 ? "image[]" : "image", new Blob([new Uint8Array(draw.between(1, 4_000))]), `${index}.png`)
  if (draw.chance(0.3)) form.append("mask", new Blob([new Uint8Array(500)]), "mask.png")
  if (draw.chance(0.3)) form.append("input_fidelity", draw.pick(["low", "high"]))
  return form
}
