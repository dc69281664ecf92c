import type { FeatureTable } from "./feature"

const DOCS = "https://platform.claude.com/docs/en"
const REFERENCE = `[API reference](${DOCS}/api/messages)`
const TOOL_PRICING = `[tool pricing](${DOCS}/about-claude/pricing#specific-tool-pricing)`
const VISION = `[vision](${DOCS}/build-with-claude/vision)`
const CACHING = `[prompt caching](${DOCS}/build-with-claude/prompt-caching)`
const SERVER_TOOLS = `[pause_turn](${DOCS}/build-with-claude/handling-stop-reasons#pause-turn)`
const SDK = "[`@anthropic-ai/sdk` 1.14.0](https://www.npmjs.com/package/@anthropic-ai/sdk)"

const ENDPOINT = "https://api.anthropic.com/v1/messages"
const messages = [{ role: "user", content: "Who is David Copperfield?" }]
const PDF = { type: "base64", media_type: "application/pdf", data: "JVBERi0=" }

/** A message whose content is one block. */
function block(content: Record<string, unknown>) {
  return { messages: [...messages, { role: "user", content: [content] }] }
}

/** Anthropic's Messages API. */
export const ANTHROPIC: FeatureTable = {
  title: "Messages",
  endpoint: ENDPOINT,
  model: "claude-sonnet-4-5",
  body: { messages, max_tokens: 50 },
  rows: [
    {
      feature: "`messages`, `system`: text, role `system` inside messages",
      body: {
        system: [{ type: "text", text: "Be brief." }],
        messages: [
          { role: "system", content: "Answer in English.", clear_at: "never", output_config: { effort: "low" } },
          { role: "user", content: [{ type: "text", text: "Who is David Copperfield?", citations: [] }] },
        ],
      },
      bounded: "bytes of the normalized text × 1.25, and a margin for each message and block",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "images: base64, URL, file; `transformations`",
      body: block({
        type: "image",
        source: { type: "url", url: "https://example.org/a.png" },
        transformations: { oversized_image: "downsize" },
      }),
      bounded: "1,568 tokens at most, 4,784 from Claude 4.7 on, and a tenth more",
      source: VISION,
      bound: "higher",
    },
    {
      feature: "documents as text or as blocks",
      body: block({
        type: "document",
        title: "Novel",
        source: { type: "text", media_type: "text/plain", data: "Text" },
      }),
      bounded: "as text",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "documents as PDF, URL or file; documents and search results with `citations`",
      body: block({ type: "document", source: PDF }),
      bounded: "the context window: the number of pages, and the markup of citations, are unknown",
      source: `[PDF support](${DOCS}/build-with-claude/pdf-support)`,
      bound: "higher",
    },
    {
      feature: "`tool_use`, `tool_result` with blocks, `search_result`",
      body: {
        messages: [
          ...messages,
          { role: "assistant", content: [{ type: "tool_use", id: "a", name: "find", input: { name: "David" } }] },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "a", content: [{ type: "text", text: "A novel" }] },
              { type: "search_result", source: "s", title: "t", content: [{ type: "text", text: "Found" }] },
            ],
          },
        ],
      },
      bounded: "their JSON and their blocks",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`thinking`, `redacted_thinking`, blocks of tools that Anthropic ran, `compaction`",
      body: {
        messages: [
          ...messages,
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "Think.", signature: "c2ln" },
              { type: "redacted_thinking", data: "ZGF0YQ==" },
              { type: "server_tool_use", id: "b", name: "web_search", input: { query: "David" } },
              { type: "web_search_tool_result", tool_use_id: "b", content: [] },
            ],
          },
        ],
      },
      bounded: "their JSON, signatures and encrypted contents included, which are longer than what they encrypt",
      source: SDK,
      bound: "higher",
    },
    {
      feature: "`tools` of the caller; `tool_choice`",
      body: {
        tools: [{ name: "find", description: "Finds", input_schema: { type: "object" } }],
        tool_choice: { type: "any" },
      },
      bounded: "their JSON in any layout, 64 tokens for each tool, and 1,024 for the instructions (804 at most)",
      source: `[tool use](${DOCS}/agents-and-tools/tool-use/overview#pricing)`,
      bound: "higher",
    },
    {
      feature: "`bash_*`, `text_editor_*`, `computer_*`, `computer_toolset_*`, `browser_toolset_*`, `memory_*`",
      body: {
        tools: [
          { type: "bash_20250124", name: "bash" },
          { type: "text_editor_20250728", name: "str_replace_based_edit_tool" },
          { type: "computer_20251124", name: "computer", display_height_px: 768, display_width_px: 1024 },
          { type: "computer_toolset_20260801" },
          { type: "browser_toolset_20260801" },
          { type: "memory_20250818", name: "memory" },
        ],
      },
      bounded: "1.5 times their published tokens (325, 700, 1,234, 4,590, 7,550; memory 1,500)",
      source: TOOL_PRICING,
      bound: "higher",
    },
    {
      feature: "`web_search_*` with `max_uses`",
      body: { tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 1 }] },
      bounded: "`max_uses` searches; ten passes of the model with the context window as input and `max_tokens` each",
      source: SERVER_TOOLS,
      bound: "higher",
    },
    {
      feature:
        "`web_fetch_*`; `code_execution_*` together with `web_search_20260209` or `web_fetch_20260209`, or later ones",
      body: {
        tools: [
          { type: "web_fetch_20260209", name: "web_fetch" },
          { type: "code_execution_20260120", name: "code_execution" },
        ],
        container: "container_1",
      },
      bounded: "ten passes, as for `web_search_*`; no fee",
      source: SERVER_TOOLS,
      bound: "higher",
    },
    {
      feature: "`tool_search_tool_*`, `defer_loading`",
      body: { tools: [{ type: "tool_search_tool_regex_20251119", name: "tool_search_tool_regex" }] },
      bounded: "ten passes, each with the prompt and all earlier answers; the definitions are in the prompt",
      source: SERVER_TOOLS,
      bound: "higher",
    },
    {
      feature: "`container` with skills",
      body: {
        container: { skills: [{ type: "anthropic", skill_id: "pdf" }] },
        tools: [
          { type: "web_fetch_20260209", name: "web_fetch" },
          { type: "code_execution_20260120", name: "code_execution" },
        ],
      },
      bounded: "the context window",
      source: SDK,
      bound: "higher",
    },
    {
      feature: "`max_tokens`",
      body: { max_tokens: 60 },
      bounded: "limit of the answer, thinking included; without one, the maximum of the model",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`thinking`: `enabled`, `adaptive`, `between_tools`, `disabled`",
      body: { thinking: { type: "enabled", budget_tokens: 1024 } },
      bounded: "within `max_tokens`, which is never lowered below `budget_tokens` + 1",
      source: `[extended thinking](${DOCS}/build-with-claude/extended-thinking)`,
      bound: "equal",
    },
    {
      feature: "`cache_control` of five minutes",
      body: { cache_control: { type: "ephemeral" } },
      bounded: "the whole input as a cache write of five minutes",
      source: CACHING,
      bound: "higher",
    },
    {
      feature: "`cache_control` of an hour",
      body: { system: [{ type: "text", text: "x", cache_control: { type: "ephemeral", ttl: "1h" } }] },
      bounded: "the whole input as a cache write of an hour",
      source: CACHING,
      bound: "higher",
    },
    {
      feature: "`service_tier`: `auto`, `standard_only`",
      body: { service_tier: "auto" },
      bounded: "the standard price: reserved capacity has the same",
      source: `[service tiers](${DOCS}/api/service-tiers)`,
      bound: "equal",
    },
    {
      feature: '`speed: "fast"`',
      model: "claude-opus-5",
      body: { speed: "fast" },
      bounded: "the price of the fast mode",
      source: `[fast mode](${DOCS}/build-with-claude/fast-mode)`,
      bound: "higher",
    },
    {
      feature: "`inference_geo`",
      model: "claude-sonnet-5",
      body: { inference_geo: "global" },
      bounded: "the stated region; absent, the most expensive one that the workspace can set",
      source: `[data residency](${DOCS}/manage-claude/data-residency)`,
      bound: "lower",
    },
    {
      feature: "`output_config`, `output_format`: schemas, effort, task budget",
      body: {
        output_config: {
          effort: "low",
          format: { type: "json_schema", schema: { type: "object" } },
          task_budget: { type: "tokens", total: 1000 },
        },
        output_format: { type: "json_schema", schema: { type: "object" } },
      },
      bounded: "their JSON in any layout, and 1,024 tokens for the instructions of a schema",
      source: `[structured outputs](${DOCS}/build-with-claude/structured-outputs)`,
      bound: "higher",
    },
    {
      feature: "`context_management`: `clear_*`; `compact_20260112` if the input is below its trigger",
      body: { context_management: { edits: [{ type: "clear_thinking_20251015" }, { type: "compact_20260112" }] } },
      bounded: "clearing only shortens the input; compaction does not begin",
      source: `[compaction](${DOCS}/build-with-claude/compaction)`,
      bound: "equal",
    },
    {
      feature: "`thread` of type `continue`",
      body: { thread: { type: "continue", previous_message_id: "msg_1" } },
      bounded: "the context window: the earlier turns are unknown",
      source: SDK,
      bound: "higher",
    },
    {
      feature: "mid-conversation `tool_addition` and `tool_removal`",
      body: block({
        type: "tool_addition",
        tool: { type: "tool_definition", definition: { name: "find", input_schema: {} } },
      }),
      bounded: "as tools of the caller",
      source: SDK,
      bound: "higher",
    },
    {
      feature: "long inputs of Claude Haiku 5.5",
      model: "claude-haiku-5-5",
      body: { messages: [{ role: "user", content: "word ".repeat(20_000) }] },
      bounded: "the higher price from 100,000 input tokens on",
      source: `[pricing](${DOCS}/about-claude/pricing)`,
      bound: "higher",
    },
    {
      feature: "betas in `anthropic-beta`, on Vertex AI in `anthropic_beta`",
      body: { anthropic_beta: ["context-1m-2025-08-07", "interleaved-thinking-2025-05-14"] },
      bounded: "no separate price; `context-1m` widens the context window",
      source: SDK,
      bound: "equal",
    },
    {
      feature:
        "`stream`, `metadata`, `stop_sequences`, sampling, `diagnostics`, `billing_policy`, `fallback_credit_token`",
      body: {
        stream: true,
        metadata: { user_id: "u" },
        stop_sequences: ["END"],
        temperature: 1,
        top_p: 1,
        top_k: 5,
        diagnostics: { previous_message_id: null },
        billing_policy: { type: "billing_policy", bill_to: "self" },
        fallback_credit_token: "token",
        anthropic_version: "vertex-2023-10-16",
      },
      bounded: "not billed",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "Vertex AI: `…/publishers/anthropic/models/{model}:rawPredict`, `:streamRawPredict`",
      endpoint:
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
      body: {},
      bounded: "the prices of `google-vertex` at the global endpoint",
      source: `[Vertex AI](${DOCS}/build-with-claude/claude-on-vertex-ai)`,
      bound: "equal",
    },
    {
      feature: "`web_search_*` without `max_uses`",
      body: { tools: [{ type: "web_search_20250305", name: "web_search" }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "`code_execution_*` alone",
      body: { tools: [{ type: "code_execution_20250825", name: "code_execution" }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "`container_upload`",
      body: block({ type: "container_upload", file_id: "f" }),
      rejected: "unbounded-cost",
    },
    {
      feature: "`advisor_*`",
      body: { tools: [{ type: "advisor_20260301", name: "advisor", model: "claude-opus-5" }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "`mcp_toolset`",
      body: { tools: [{ type: "mcp_toolset", mcp_server_name: "s" }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "`mcp_servers`",
      body: { mcp_servers: [{ type: "url", name: "s", url: "https://example.org" }] },
      rejected: "unbounded-cost",
    },
    { feature: "`fallbacks`", body: { fallbacks: [{ model: "claude-opus-4-5" }] }, rejected: "unbounded-cost" },
    { feature: "`compaction`", body: { compaction: { type: "summarize" } }, rejected: "unbounded-cost" },
    {
      feature: "`compact_20260112` if the input may reach its trigger",
      body: {
        context_management: { edits: [{ type: "compact_20260112", trigger: { type: "input_tokens", value: 50 } }] },
      },
      rejected: "unbounded-cost",
    },
    {
      feature: "a server tool that is defined inside a message",
      body: block({
        type: "tool_addition",
        tool: { definition: { type: "web_fetch_20250910", name: "web_fetch" } },
      }),
      rejected: "unbounded-cost",
    },
    {
      feature: "`context-1m` for a model whose price ends at 200,000 tokens",
      model: "claude-opus-4-5",
      body: {
        messages: [{ role: "user", content: "word ".repeat(40_000) }],
        anthropic_beta: ["context-1m-2025-08-07"],
      },
      rejected: "unbounded-cost",
    },
    {
      feature: "fast mode without a listed price",
      model: "claude-sonnet-5",
      body: { speed: "fast" },
      rejected: "unbounded-cost",
    },
    {
      feature: "regions without a listed price",
      model: "claude-sonnet-5",
      body: { inference_geo: "eu" },
      rejected: "unbounded-cost",
    },
    {
      feature: "OpenRouter's `/messages`",
      endpoint: "https://openrouter.ai/api/v1/messages",
      model: "anthropic/claude-sonnet-4.5",
      body: {},
      rejected: "unbounded-cost",
    },
    { feature: "unknown models", body: { model: "claude-sonnet-4-x" }, rejected: "unknown-model" },
    { feature: "unknown fields", body: { surprise: 1 }, rejected: "unknown-field" },
    {
      feature: "unknown tools",
      body: { tools: [{ type: "hologram_20260101", name: "hologram" }] },
      rejected: "unknown-field",
    },
    {
      feature: "unknown fields of tools that Anthropic runs",
      body: { tools: [{ type: "web_fetch_20250910", name: "web_fetch", surprise: 1 }] },
      rejected: "unknown-field",
    },
    { feature: "unknown blocks", body: block({ type: "hologram" }), rejected: "unknown-field" },
    { feature: "unknown edits", body: { context_management: { edits: [{ type: "x" }] } }, rejected: "unknown-field" },
    { feature: "unknown thinking", body: { thinking: { type: "x" } }, rejected: "invalid-body" },
    { feature: "unknown betas", body: { anthropic_beta: ["surprise-2026-01-01"] }, rejected: "unknown-field" },
    { feature: "an invalid limit", body: { max_tokens: -1 }, rejected: "invalid-body" },
    { feature: "an invalid role", body: { messages: [{ role: "usr", content: "x" }] }, rejected: "invalid-body" },
  ],
}
