import { type BodyFields, words } from "../variants/body-fields"

/** https://platform.openai.com/docs/api-reference/audio; every row of docs/openai.md has its source. */
export const TRANSCRIPTION_FIELDS: BodyFields = {
  free: /* @__PURE__ */ words("include response_format temperature timestamp_granularities"),
  read: /* @__PURE__ */ words("file known_speaker_references model stream"),
  counted: /* @__PURE__ */ words("keywords known_speaker_names language languages prompt"),
  rejected: {
    chunking_strategy: {
      because: "each chunk may have as many output tokens as the model allows, and their number is unknown",
      remedy: "Omit it, and cut long audio in your own code.",
    },
  },
}

export const SPEECH_FIELDS: BodyFields = {
  free: /* @__PURE__ */ words("response_format speed stream_format voice"),
  read: /* @__PURE__ */ words("input instructions model"),
}
