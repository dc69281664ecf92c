import type { FeatureTable } from "./feature"

const REFERENCE = "[API reference](https://platform.openai.com/docs/api-reference/responses/create)"
const PRICING = "[pricing](https://developers.openai.com/api/docs/pricing)"

/** OpenAI's Responses API. */
export const RESPONSES: FeatureTable = {
  title: "Responses",
  endpoint: "https://api.openai.com/v1/responses",
  model: "gpt-5-mini",
  body: { input: "Who is David Copperfield?", max_output_tokens: 50 },
  rows: [
    {
      feature: "`input`, `instructions`",
      body: {
        instructions: "Be brief.",
        input: [{ role: "user", content: [{ type: "input_text", text: "Hello, who is David Copperfield?" }] }],
      },
      bounded: "tokens of the text, and a margin for each message",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "images as `data:` URLs, screenshots",
      body: {
        input: [
          { role: "user", content: [{ type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "low" }] },
          {
            type: "computer_call_output",
            call_id: "c",
            output: { type: "computer_screenshot", image_url: "data:image/png;base64,AAAA" },
          },
        ],
      },
      bounded: "the formula of the model",
      source: "[images](https://platform.openai.com/docs/guides/images-vision#calculating-costs)",
      bound: "higher",
    },
    {
      feature: "`input_file`, images by id",
      body: {
        input: [
          {
            role: "user",
            content: [
              { type: "input_file", file_id: "file-1" },
              { type: "input_image", file_id: "file-2" },
            ],
          },
        ],
      },
      bounded: "the context window",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`previous_response_id`, `conversation`, `item_reference`, items whose content the provider has stored",
      body: {
        previous_response_id: "resp_1",
        conversation: "conv_1",
        input: [
          { type: "item_reference", id: "msg_1" },
          { type: "web_search_call", id: "ws_1" },
        ],
      },
      bounded: "the context window, at the highest price of any modality",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "calls of functions and custom tools, shells, patches, MCP, with their results",
      body: {
        input: [
          { type: "function_call", call_id: "a", name: "find", arguments: "{}" },
          { type: "function_call_output", call_id: "a", output: "found" },
          { type: "custom_tool_call_output", call_id: "b", output: [{ type: "input_text", text: "done" }] },
          { type: "shell_call_output", call_id: "c", output: [] },
          { type: "mcp_approval_response", approval_request_id: "d", approve: true },
        ],
      },
      bounded: "tokens of results; twice the tokens of the JSON of other items",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "`reasoning` items",
      body: { input: [{ type: "reasoning", id: "rs_1", summary: [], encrypted_content: "Z0FBQUFB" }] },
      bounded: "two tokens for each character of the encrypted content; without it, the context window",
      source: "[reasoning](https://platform.openai.com/docs/guides/reasoning)",
      bound: "higher",
    },
    {
      feature: "`tools` of the types `function`, `custom`, `namespace`",
      body: {
        tools: [
          { type: "function", name: "find", parameters: { type: "object" }, strict: true },
          { type: "custom", name: "run" },
          { type: "namespace", name: "crm", description: "CRM", tools: [] },
        ],
      },
      bounded: "twice the tokens of their JSON, and 1,024",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "`additional_tools`, `tool_search_output`, `configuration_update` items",
      body: {
        input: [
          { type: "additional_tools", role: "developer", tools: [{ type: "custom", name: "run" }] },
          { type: "tool_search_output", call_id: "a", tools: [{ type: "function", name: "find" }] },
          { type: "configuration_update", reasoning: { effort: "low" } },
        ],
      },
      bounded: "their tools as those of `tools`; twice the tokens of the JSON of the rest",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature:
        "`local_shell`, `shell` (local), `apply_patch`, `computer`, `computer_use_preview`, `tool_search` (client)",
      body: {
        tools: [
          { type: "local_shell" },
          { type: "shell", environment: { type: "local" } },
          { type: "apply_patch" },
          { type: "computer" },
          { type: "tool_search", execution: "client" },
        ],
      },
      bounded: "their JSON, and 2,048 tokens each for instructions that are not published",
      source:
        "[Anthropic's tools of this kind](https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing) have at most 1,234",
      bound: "higher",
    },
    {
      feature: "`web_search`, `web_search_preview` of reasoning models",
      body: { tools: [{ type: "web_search", search_context_size: "high" }], max_tool_calls: 2 },
      bounded: "`max_tool_calls` searches; 2,048 tokens of instructions; the context window for each pass after a call",
      source: PRICING,
      bound: "higher",
    },
    {
      feature: "`file_search`",
      body: { tools: [{ type: "file_search", vector_store_ids: ["vs_1"], max_num_results: 5 }], max_tool_calls: 2 },
      bounded:
        "`max_tool_calls` searches; 2,048 tokens of instructions; each adds `max_num_results` (at most 50) × 4,096 tokens to later passes",
      source: `${PRICING}, [vector stores](https://platform.openai.com/docs/api-reference/vector-stores)`,
      bound: "higher",
    },
    {
      feature: "`file_search` with `max_num_results: null`",
      body: { tools: [{ type: "file_search", vector_store_ids: ["vs_1"], max_num_results: null }], max_tool_calls: 2 },
      bounded: "as without `max_num_results`: 50",
      source: "[vector stores](https://platform.openai.com/docs/api-reference/vector-stores)",
      bound: "higher",
    },
    {
      feature: "`code_interpreter`, `shell` in a container",
      body: {
        tools: [{ type: "code_interpreter", container: { type: "auto", memory_limit: "4g" } }],
        max_tool_calls: 1,
      },
      bounded:
        "`max_tool_calls` sessions × GB of memory; 2,048 tokens of instructions; the context window for each pass after a call",
      source: PRICING,
      bound: "higher",
    },
    {
      feature: '`mcp`, connectors with `require_approval: "always"`',
      body: { tools: [{ type: "mcp", server_label: "docs", server_url: "https://example.org/mcp" }] },
      bounded: "the context window for the first pass, and for each approval in the input",
      source: "[MCP](https://platform.openai.com/docs/guides/tools-remote-mcp)",
      bound: "higher",
    },
    {
      feature: "`max_tool_calls` without hosted tools, `tool_choice`",
      body: { max_tool_calls: 3, tool_choice: "auto" },
      bounded: "a name is a few tokens; an object counts twice its JSON",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`text`",
      body: { text: { format: { type: "json_schema", name: "answer", schema: { type: "object" } }, verbosity: "low" } },
      bounded: "twice the tokens of the schema, and 128",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "`max_output_tokens`, `reasoning`",
      body: { max_output_tokens: 100, reasoning: { effort: "high", summary: "auto" } },
      bounded: "limit of the whole response, reasoning included; at least 16",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: '`truncation: "auto"`',
      body: { truncation: "auto" },
      bounded: "at most the context window",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "`service_tier`",
      body: { service_tier: "flex" },
      bounded: "the stated tier; absent or `auto`, the most expensive listed tier, because the project decides",
      source: REFERENCE,
      bound: "lower",
    },
    {
      feature: "`background`, `store`, `stream`, `stream_options`, `include`, `image`",
      body: {
        image: { context_compression: "auto" },
        background: true,
        store: true,
        stream: true,
        stream_options: { include_obfuscation: false },
        include: ["reasoning.encrypted_content"],
      },
      bounded: "not billed; a background response keeps its reservation until a poll or its lease ends",
      source: "[background](https://platform.openai.com/docs/guides/background)",
      bound: "equal",
    },
    {
      feature:
        "`metadata`, `client_metadata`, `user`, `safety_identifier`, `prompt_cache_key`, `prompt_cache_options`, `prompt_cache_retention`, `parallel_tool_calls`, sampling",
      body: {
        metadata: { a: "b" },
        client_metadata: { a: "b" },
        user: "u",
        safety_identifier: "s",
        prompt_cache_key: "k",
        prompt_cache_options: { mode: "explicit" },
        prompt_cache_retention: "24h",
        parallel_tool_calls: true,
        temperature: 1,
        top_p: 1,
        top_logprobs: 1,
      },
      bounded: "not billed; cache writes are in the bound of models that bill them",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "hosted tools in items of the input",
      body: { input: [{ type: "additional_tools", role: "developer", tools: [{ type: "web_search" }] }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "other tools in a `namespace`",
      body: { tools: [{ type: "namespace", name: "crm", tools: [{ type: "mcp" }] }] },
      rejected: "unknown-field",
    },
    { feature: '`reasoning.mode: "pro"`', body: { reasoning: { mode: "pro" } }, rejected: "unbounded-cost" },
    {
      feature: "`access_programs` other than standard",
      body: { access_programs: { cyber: "daybreak_red" } },
      rejected: "unbounded-cost",
    },
    {
      feature: '`ttl: "12h"` of a cache write without a listed price',
      model: "gpt-5.6-sol",
      body: { prompt_cache_options: { ttl: "12h" } },
      rejected: "unbounded-cost",
    },
    { feature: "unknown fields of `reasoning`", body: { reasoning: { depth: 9 } }, rejected: "unknown-field" },
    { feature: "`prompt`", body: { prompt: { id: "pmpt_1" } }, rejected: "unbounded-cost" },
    {
      feature: "hosted tools without `max_tool_calls`",
      body: { tools: [{ type: "web_search" }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "`web_search_preview` of other models",
      model: "gpt-4o",
      body: { tools: [{ type: "web_search_preview" }], max_tool_calls: 1 },
      rejected: "unbounded-cost",
    },
    {
      feature: "a container by its id",
      body: { tools: [{ type: "code_interpreter", container: "cntr_1" }], max_tool_calls: 1 },
      rejected: "unbounded-cost",
    },
    {
      feature: "a reference to a container, in place of `auto`",
      body: {
        tools: [{ type: "code_interpreter", container: { type: "container_reference", container_id: "cntr_1" } }],
        max_tool_calls: 1,
      },
      rejected: "unbounded-cost",
    },
    {
      feature: "`image_generation`",
      body: { tools: [{ type: "image_generation" }], max_tool_calls: 1 },
      rejected: "unbounded-cost",
    },
    {
      feature: "`mcp` without approvals",
      body: { tools: [{ type: "mcp", server_label: "docs", require_approval: "never" }], max_tool_calls: 1 },
      rejected: "unbounded-cost",
    },
    {
      feature: "`tool_search` by the provider",
      body: { tools: [{ type: "tool_search" }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "unknown tools, such as `programmatic_tool_calling`",
      body: { tools: [{ type: "programmatic_tool_calling" }] },
      rejected: "unknown-field",
    },
    {
      feature: "hosted tools of other providers",
      endpoint: "https://api.x.ai/v1/responses",
      model: "grok-4-fast",
      body: { tools: [{ type: "web_search" }], max_tool_calls: 1 },
      rejected: "unbounded-cost",
    },
    {
      feature: "`context_management`",
      body: { context_management: [{ type: "compaction" }] },
      rejected: "unbounded-cost",
    },
    {
      feature: "`compaction_trigger` items",
      body: { input: [{ type: "compaction_trigger" }] },
      rejected: "unbounded-cost",
    },
    { feature: "`moderation`", body: { moderation: { model: "omni-moderation-latest" } }, rejected: "unbounded-cost" },
    { feature: "unknown items", body: { input: [{ type: "program" }] }, rejected: "unknown-field" },
    { feature: "unknown fields of `text`", body: { text: { voice: "alloy" } }, rejected: "unknown-field" },
    { feature: "unknown fields", body: { surprise: 1 }, rejected: "unknown-field" },
  ],
}

/** OpenAI's embeddings. */
export const EMBEDDINGS: FeatureTable = {
  title: "Embeddings",
  endpoint: "https://api.openai.com/v1/embeddings",
  model: "text-embedding-3-small",
  body: { input: "David Copperfield" },
  rows: [
    {
      feature: "`input` of strings",
      body: { input: ["David Copperfield", "Oliver Twist"] },
      bounded: "tokens of each text, and 4",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "`input` of token arrays",
      body: { input: [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]] },
      bounded: "their lengths, and 4 each",
      source: "[API reference](https://platform.openai.com/docs/api-reference/embeddings/create)",
      bound: "higher",
    },
    {
      feature: "`input_type` (Voyage, Cohere)",
      endpoint: "https://api.voyageai.com/v1/embeddings",
      model: "voyage-3",
      body: { input_type: "query" },
      bounded: "32 tokens for each text",
      source: "[Voyage](https://docs.voyageai.com/docs/embeddings)",
      bound: "higher",
    },
    {
      feature:
        "`dimensions`, `encoding_format`, `output_dimension`, `output_dtype`, `truncation`, `user`, `metadata`, `provider`",
      body: {
        dimensions: 256,
        encoding_format: "base64",
        output_dimension: 256,
        output_dtype: "float",
        truncation: true,
        user: "u",
        metadata: {},
        provider: {},
      },
      bounded: "not billed",
      source: "[API reference](https://platform.openai.com/docs/api-reference/embeddings/create)",
      bound: "equal",
    },
    { feature: "images and other inputs", body: { input: [{ image: "data:" }] }, rejected: "invalid-body" },
    { feature: "unknown fields", body: { surprise: 1 }, rejected: "unknown-field" },
  ],
}
