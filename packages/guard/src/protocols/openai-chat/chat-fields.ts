import { isRecord } from "@p2/core"
import { type BodyFields, words } from "../variants/body-fields"

/** https://platform.openai.com/docs/api-reference/chat/create; every row of docs/openai.md has its source. */
export const CHAT_FIELDS: BodyFields = {
  free: /* @__PURE__ */ words(
    "audio frequency_penalty logit_bias logprobs metadata parallel_tool_calls presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort safety_identifier seed stop store temperature top_logprobs top_p user verbosity",
  ),
  read: /* @__PURE__ */ words(
    "functions max_completion_tokens max_tokens messages modalities model n prediction response_format service_tier stream stream_options tools",
  ),
  counted: /* @__PURE__ */ words("function_call tool_choice"),
  rejected: {
    moderation: {
      because: "no source says whether the moderation of a call is billed",
      remedy: "Omit it, and call `/moderations`, which is free.",
    },
    web_search_options: {
      because: "the model decides how often it searches",
      remedy:
        "Use a model that searches once with every request, such as `gpt-4o-search-preview`, or the Responses API with `web_search` and `max_tool_calls`.",
    },
  },
}

/** Perplexity's request fee includes one search: https://docs.perplexity.ai/docs/getting-started/pricing */
const PERPLEXITY: BodyFields = {
  free: /* @__PURE__ */ words(
    "disable_search enable_search_classifier image_domain_filter image_format_filter language_preference last_updated_after_filter last_updated_before_filter return_images return_related_questions search_after_date_filter search_before_date_filter search_domain_filter search_language_filter search_mode search_recency_filter stream_mode top_k",
  ),
  rejected: {
    web_search_options: {
      because: "Pro Search runs several searches",
      remedy: 'Omit `search_type`, or send "fast".',
      when: (value) => !isRecord(value) || (value.search_type ?? "fast") !== "fast",
    },
  },
}

const SAMPLING = "min_p repetition_penalty top_k"

/** Fields of other providers, by provider. One provider's field is unknown at the others. */
const VARIANTS: Readonly<Record<string, BodyFields>> = {
  openrouter: {
    // https://openrouter.ai/docs/api/api-reference/chat/send-chat-completion-request
    free: /* @__PURE__ */ words(
      `${SAMPLING} cache_control debug include_reasoning route session_id structured_outputs top_a trace transforms`,
    ),
    read: /* @__PURE__ */ words("models plugins provider reasoning usage"),
    rejected: {
      preset: {
        because: "it may add a stored prompt and other models",
        remedy: "Send the fields of the preset instead.",
      },
      image_config: {
        because: "the number of tokens of a larger image is not documented",
        remedy: "Omit it.",
      },
      web_search_options: {
        because: "the model decides how often it searches",
        remedy: 'Send `plugins: [{ id: "web", engine: "exa", max_results: 5 }]` instead.',
      },
    },
  },
  azure: {
    free: /* @__PURE__ */ words("user_security_context"),
    rejected: {
      data_sources: {
        because: "Azure adds search results to the input and bills the search service separately",
        remedy: "Search in your own code, and send the results as messages.",
      },
    },
  },
  // The compatibility layer ignores most fields: https://docs.anthropic.com/en/api/openai-sdk
  anthropic: { read: /* @__PURE__ */ words("thinking"), free: /* @__PURE__ */ words("cache_control") },
  // https://ai.google.dev/gemini-api/docs/openai#extra-body
  gemini: { read: /* @__PURE__ */ words("extra_body") },
  groq: {
    // https://console.groq.com/docs/api-reference#chat-create
    free: /* @__PURE__ */ words("citation_options disable_tool_validation include_reasoning reasoning_format"),
    counted: /* @__PURE__ */ words("documents"),
    rejected: {
      compound_custom: {
        because: "a compound system runs tools and models that it chooses",
        remedy: "Omit it, and use a plain model.",
      },
      search_settings: {
        because: "a compound system searches as often as it decides",
        remedy: "Omit it, and use a plain model.",
      },
    },
  },
  mistral: {
    // https://docs.mistral.ai/api/endpoint/chat
    free: /* @__PURE__ */ words("random_seed document_image_limit document_page_limit"),
    read: /* @__PURE__ */ words("safe_prompt prompt_mode"),
  },
  // https://api-docs.deepseek.com/api/create-chat-completion
  deepseek: { free: /* @__PURE__ */ words("thinking user_id") },
  xai: {
    // https://docs.x.ai/docs/api-reference#chat-completions
    read: /* @__PURE__ */ words("search_parameters"),
    rejected: {
      deferred: {
        because: "the answer comes with a later call, which the guard does not recognize",
        remedy: "Omit it.",
        when: (value) => value !== false,
      },
    },
  },
  together: {
    // https://docs.together.ai/reference/chat-completions-1
    free: /* @__PURE__ */ words(`${SAMPLING} compliance context_length_exceeded_behavior reasoning`),
    counted: /* @__PURE__ */ words("chat_template_kwargs"),
    rejected: {
      safety_model: { because: "a second model is billed", remedy: "Omit it." },
      echo: { because: "the prompt is returned as output", remedy: "Omit it.", when: (value) => value !== false },
    },
  },
  fireworks: {
    // https://docs.fireworks.ai/api-reference/post-chatcompletions
    free: /* @__PURE__ */ words(
      `${SAMPLING} context_length_exceeded_behavior ignore_eos mirostat_lr mirostat_target perf_metrics_in_response prompt_cache_isolation_key prompt_truncate_len raw_output reasoning_history return_token_ids thinking typical_p`,
    ),
    rejected: {
      echo: { because: "the prompt is returned as output", remedy: "Omit it.", when: (value) => value !== false },
    },
  },
  perplexity: PERPLEXITY,
  moonshotai: { free: /* @__PURE__ */ words("thinking") },
}

/** Servers such as vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html */
const OTHER_SERVER: BodyFields = {
  free: /* @__PURE__ */ words(
    `${SAMPLING} add_generation_prompt bad_words cache_salt continue_final_message guided_choice guided_grammar guided_json guided_regex ignore_eos include_reasoning include_stop_str_in_output length_penalty min_tokens priority request_id return_token_ids skip_special_tokens spaces_between_special_tokens stop_token_ids structured_outputs thinking truncate_prompt_tokens`,
  ),
  counted: /* @__PURE__ */ words("chat_template_kwargs documents"),
  rejected: {
    best_of: { because: "more answers are generated than returned", remedy: "Send `n` instead." },
    chat_template: { because: "a template can repeat the input", remedy: "Omit it." },
    echo: { because: "the prompt is returned as output", remedy: "Omit it.", when: (value) => value !== false },
    use_beam_search: { because: "more answers are generated than returned", remedy: "Send `n` instead." },
  },
}

/** The tables of a provider's fields, its own first. */
export function chatFieldsOf(provider: string): readonly BodyFields[] {
  if (provider === "openai") return [CHAT_FIELDS]
  return [Object.hasOwn(VARIANTS, provider) ? VARIANTS[provider]! : OTHER_SERVER, CHAT_FIELDS]
}
