import type { BodyFields } from "../variants/body-fields"
import { words } from "../variants/body-fields"

/** https://platform.openai.com/docs/api-reference/images; every row of docs/openai.md has its source. */
export const IMAGE_FIELDS: BodyFields = {
  free: /* @__PURE__ */ words(
    "background moderation output_compression response_format safety_identifier style user frame_duration_ms",
  ),
  read: /* @__PURE__ */ words(
    "complexity frame_count image images input_fidelity markup mask model n output_format partial_images prompt quality size stream",
  ),
  rejected: {
    svg: {
      because: "another model writes the SVG, at its own price and without an output limit",
      remedy: 'Omit it, and send `output_format: "png"`.',
    },
  },
}
