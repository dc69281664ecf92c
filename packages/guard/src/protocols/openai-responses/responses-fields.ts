import { isRecord } from "@p2/core"
import type { Rejection } from "../protocol"
import { type BodyFields, checkFields, words } from "../variants/body-fields"

const COMPACTION = {
  because: "the model runs further passes to compact the conversation",
  remedy: "Omit it, and shorten the conversation in your own code.",
}

/** https://platform.openai.com/docs/api-reference/responses/create; every row of docs/openai.md has its source. */
export const RESPONSES_FIELDS: BodyFields = {
  free: /* @__PURE__ */ words(
    "background image include metadata parallel_tool_calls prompt_cache_key prompt_cache_options prompt_cache_retention safety_identifier store stream_options temperature top_logprobs top_p user",
  ),
  read: /* @__PURE__ */ words(
    "conversation input instructions max_output_tokens max_tool_calls model previous_response_id reasoning service_tier stream text tools truncation",
  ),
  counted: /* @__PURE__ */ words("tool_choice"),
  rejected: {
    access_programs: {
      because: "no source states the prices of access programs",
      remedy: 'Omit it, or send `cyber: "standard"`.',
      when: (value) => !isRecord(value) || value.cyber !== "standard",
    },
    context_management: COMPACTION,
    moderation: {
      because: "no source says whether the moderation of a call is billed",
      remedy: "Omit it, and call `/moderations`, which is free.",
    },
    prompt: {
      because: "a stored prompt has instructions, tools and a model that the call does not show",
      remedy: "Send its `instructions` and `tools` instead.",
    },
  },
}

/** https://openrouter.ai/docs/api/reference/responses/overview */
const OPENROUTER: BodyFields = {
  free: /* @__PURE__ */ words("frequency_penalty presence_penalty route session_id top_k trace"),
  read: /* @__PURE__ */ words("models plugins provider usage"),
  rejected: {
    preset: {
      because: "it may add a stored prompt and other models",
      remedy: "Send the fields of the preset instead.",
    },
    image_config: { because: "the number of tokens of a larger image is not documented", remedy: "Omit it." },
  },
}

/** Codex sends `client_metadata`: https://github.com/openai/codex */
const OPENAI: BodyFields = { free: /* @__PURE__ */ words("client_metadata") }

/** The tables of a provider's fields, its own first. */
export function responsesFieldsOf(provider: string): readonly BodyFields[] {
  return [provider === "openrouter" ? OPENROUTER : OPENAI, RESPONSES_FIELDS]
}

/** The fields inside `reasoning`; `enabled`, `exclude` and `max_tokens` are OpenRouter's. */
const REASONING_FIELDS: BodyFields = {
  free: /* @__PURE__ */ words("context effort enabled exclude generate_summary max_tokens summary"),
  rejected: {
    mode: {
      because: "no source says what other modes cost",
      remedy: 'Omit it, or send "standard".',
      when: (value) => value !== "standard",
    },
  },
}

const TEXT_FIELDS: BodyFields = { read: /* @__PURE__ */ words("format verbosity") }

/** Checks the fields inside fields. */
export function checkInnerFields({ reasoning, text }: Readonly<Record<string, unknown>>): Rejection | undefined {
  return (
    (isRecord(reasoning) ? checkFields(reasoning, [REASONING_FIELDS], "reasoning.") : undefined) ??
    (isRecord(text) ? checkFields(text, [TEXT_FIELDS], "text.") : undefined)
  )
}
