import type { FeatureTable } from "./feature"

const DOCS = "https://ai.google.dev/gemini-api/docs"
const REFERENCE = "[API reference](https://ai.google.dev/api/generate-content)"
const SDK = "[`@google/genai` 3.3.0](https://www.npmjs.com/package/@google/genai)"
const SEARCH = `[Google Search](${DOCS}/google-search#pricing)`

const HOST = "https://generativelanguage.googleapis.com"
const contents = [{ role: "user", parts: [{ text: "Who is David Copperfield?" }] }]

function at(model: string, method = "generateContent"): string {
  return `${HOST}/v1beta/models/${model}:${method}`
}

/** Contents with one more part. */
function part(added: Record<string, unknown>) {
  return { contents: [...contents, { role: "user", parts: [added] }] }
}

/** Gemini's `generateContent` and `streamGenerateContent`. */
export const GEMINI: FeatureTable = {
  title: "generateContent",
  endpoint: at("gemini-2.5-flash"),
  model: "models/gemini-2.5-flash",
  body: { contents, generationConfig: { maxOutputTokens: 50 } },
  rows: [
    {
      feature: "`contents`, `systemInstruction`: text",
      body: {
        systemInstruction: { parts: [{ text: "Be brief." }] },
        contents: [...contents, { role: "model", parts: [{ text: "A novel.", thought: false, partMetadata: {} }] }],
      },
      bounded: "bytes of the text, and a margin for each content and part",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "names in snake case",
      body: { system_instruction: { parts: [{ text: "Be brief." }] } },
      bounded: "as in camel case; both spellings of one field are rejected",
      source: "[ProtoJSON](https://protobuf.dev/programming-guides/json/)",
      bound: "higher",
    },
    {
      feature: "images as `inlineData`; `mediaResolution`",
      body: part({ inlineData: { mimeType: "image/png", data: "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAB/HSuD" } }),
      bounded: "258 tokens for each tile, from Gemini 3 on 2,240, and a tenth more; the context window without a size",
      source: `[images](${DOCS}/image-understanding), [media resolution](${DOCS}/media-resolution)`,
      bound: "higher",
    },
    {
      feature: "WAV as `inlineData`",
      body: part({
        inlineData: {
          mimeType: "audio/wav",
          data: `UklGRiQAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAA${"A".repeat(400)}`,
        },
      }),
      bounded: "32 tokens for each second that the bytes can hold, at the price of audio",
      source: `[audio](${DOCS}/audio)`,
      bound: "higher",
    },
    {
      feature: "other audio, video, PDF as `inlineData`; `fileData`; `videoMetadata`",
      body: part({
        fileData: { fileUri: "https://example.org/v", mimeType: "video/mp4" },
        videoMetadata: { fps: 5 },
        mediaProcessing: {},
        mediaResolution: {},
      }),
      bounded: "the context window, at the highest price of any modality: their length is unknown",
      source: `[video](${DOCS}/video-understanding)`,
      bound: "higher",
    },
    {
      feature: "text as `inlineData`",
      body: part({ inlineData: { mimeType: "text/plain", data: "SGVsbG8=" } }),
      bounded: "a token for each byte",
      source: `[documents](${DOCS}/document-processing)`,
      bound: "higher",
    },
    {
      feature: "`functionCall`, `functionResponse` with media, results of code, `thoughtSignature`",
      body: {
        contents: [
          ...contents,
          { role: "model", parts: [{ functionCall: { name: "find", args: {} }, thoughtSignature: "c2ln" }] },
          { role: "user", parts: [{ functionResponse: { name: "find", response: { found: 1 } } }] },
        ],
      },
      bounded: "their JSON in any layout; media as above",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`functionDeclarations`; `toolConfig`",
      body: {
        tools: [{ functionDeclarations: [{ name: "find", parameters: { type: "OBJECT" } }] }],
        toolConfig: { functionCallingConfig: { mode: "ANY" } },
      },
      bounded: "their JSON in any layout, and 64 tokens for each function",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "`googleSearch`, `googleSearchRetrieval` up to Gemini 2.5",
      body: { tools: [{ googleSearch: {} }] },
      bounded: "one search, which these models bill once for a request, and the context window",
      source: SEARCH,
      bound: "higher",
    },
    {
      feature: "`computerUse`",
      endpoint: at("gemini-2.5-computer-use-preview-10-2025"),
      body: { tools: [{ computerUse: { environment: "ENVIRONMENT_BROWSER" } }] },
      bounded: "the context window: its functions are not published",
      source: SDK,
      bound: "higher",
    },
    {
      feature: "`cachedContent`",
      body: { cachedContent: "cachedContents/a" },
      bounded: "the context window, at the highest price of any modality",
      source: `[caching](${DOCS}/caching)`,
      bound: "higher",
    },
    {
      feature: "`maxOutputTokens`, `thinkingConfig`",
      body: {
        generationConfig: {
          maxOutputTokens: 60,
          thinkingConfig: { thinkingBudget: 8000, thinkingLevel: "HIGH", includeThoughts: true },
        },
      },
      bounded:
        "limit of thoughts and answer together; without one, the maximum of the model, which the guard sends, because `thinkingBudget` is not kept",
      source:
        "[measured](https://github.com/googleapis/python-genai/issues/2062), [measured](https://github.com/vectorize-io/hindsight/issues/3365)",
      bound: "higher",
    },
    {
      feature: "`candidateCount`",
      body: { generationConfig: { maxOutputTokens: 50, candidateCount: 2 } },
      bounded: "output × candidates",
      source: REFERENCE,
      bound: "higher",
    },
    {
      feature: "`responseSchema`, `responseJsonSchema`, `responseFormat`",
      body: {
        generationConfig: {
          maxOutputTokens: 50,
          responseMimeType: "application/json",
          responseSchema: { type: "OBJECT" },
          responseJsonSchema: { type: "object" },
          responseFormat: [],
        },
      },
      bounded: "their JSON in any layout, and 256 tokens for each",
      source: "`@p2/tokens`",
      bound: "higher",
    },
    {
      feature: "`responseModalities`, `imageConfig`, `speechConfig`",
      endpoint: at("gemini-2.5-flash-image"),
      body: {
        generationConfig: { maxOutputTokens: 50, responseModalities: ["TEXT"], imageConfig: {}, speechConfig: {} },
      },
      bounded: "the price of the modalities; absent, the most expensive one of the model",
      source: `[pricing](${DOCS}/pricing)`,
      bound: "lower",
    },
    {
      feature: "`serviceTier`; on Vertex AI `X-Vertex-AI-LLM-Shared-Request-Type`",
      body: { serviceTier: "priority" },
      bounded: "the price of the tier; absent, the standard one, which is the default",
      source: SDK,
      bound: "higher",
    },
    {
      feature: "prompts of more than 200,000 tokens",
      endpoint: at("gemini-2.5-pro"),
      body: { contents: [{ role: "user", parts: [{ text: "word ".repeat(45_000) }] }] },
      bounded: "the higher price",
      source: `[pricing](${DOCS}/pricing)`,
      bound: "higher",
    },
    {
      feature: "`streamGenerateContent`, with or without `alt=sse`",
      endpoint: at("gemini-2.5-flash", "streamGenerateContent"),
      body: {},
      bounded: "as `generateContent`",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "`safetySettings`, `labels`, `store`, sampling, log probabilities",
      body: {
        safetySettings: [],
        labels: {},
        store: false,
        generationConfig: {
          maxOutputTokens: 50,
          temperature: 1,
          topP: 1,
          topK: 1,
          seed: 1,
          stopSequences: ["END"],
          presencePenalty: 0,
          frequencyPenalty: 0,
          responseLogprobs: true,
          logprobs: 1,
          audioTimestamp: false,
          mediaResolution: "MEDIA_RESOLUTION_LOW",
          enableEnhancedCivicAnswers: false,
        },
      },
      bounded: "not billed",
      source: REFERENCE,
      bound: "equal",
    },
    {
      feature: "Vertex AI: `…/publishers/google/models/{model}:…`",
      endpoint:
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent",
      body: {},
      bounded: "the prices of `google-vertex` at the global endpoint",
      source: "[locations](https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations)",
      bound: "equal",
    },
    {
      feature: "`googleSearch` from Gemini 3 on",
      endpoint: at("gemini-3-flash-preview"),
      body: { tools: [{ googleSearch: {} }] },
      rejected: "unbounded-cost",
    },
    { feature: "`codeExecution`", body: { tools: [{ codeExecution: {} }] }, rejected: "unbounded-cost" },
    { feature: "`urlContext`", body: { tools: [{ urlContext: {} }] }, rejected: "unbounded-cost" },
    { feature: "`fileSearch`", body: { tools: [{ fileSearch: {} }] }, rejected: "unbounded-cost" },
    { feature: "`googleMaps`", body: { tools: [{ googleMaps: {} }] }, rejected: "unbounded-cost" },
    { feature: "`enterpriseWebSearch`", body: { tools: [{ enterpriseWebSearch: {} }] }, rejected: "unbounded-cost" },
    { feature: "`retrieval`", body: { tools: [{ retrieval: {} }] }, rejected: "unbounded-cost" },
    {
      feature: "`parallelAiSearch`, `exaAiSearch`",
      body: { tools: [{ exaAiSearch: {} }] },
      rejected: "unbounded-cost",
    },
    { feature: "`mcpServers`", body: { tools: [{ mcpServers: [] }] }, rejected: "unbounded-cost" },
    { feature: "`modelArmorConfig`", body: { modelArmorConfig: {} }, rejected: "unbounded-cost" },
    {
      feature: "`routingConfig`, `modelSelectionConfig`",
      body: { generationConfig: { routingConfig: {} } },
      rejected: "unbounded-cost",
    },
    {
      feature: "modalities without a price",
      body: { generationConfig: { responseModalities: ["VIDEO"] } },
      rejected: "unbounded-cost",
    },
    { feature: "tiers without a listed price", body: { serviceTier: "turbo" }, rejected: "unbounded-cost" },
    {
      feature: "regions of Vertex AI without a listed price",
      endpoint:
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/google/models/gemini-2.5-flash:generateContent",
      body: {},
      rejected: "unbounded-cost",
    },
    {
      feature: "`batchGenerateContent`",
      endpoint: at("gemini-2.5-flash", "batchGenerateContent"),
      body: {},
      rejected: "unbounded-cost",
    },
    {
      feature: "`predict`, `predictLongRunning`",
      endpoint: at("imagen-4", "predict"),
      body: {},
      rejected: "unbounded-cost",
    },
    {
      feature: "the creation of `cachedContents`",
      endpoint: `${HOST}/v1beta/cachedContents`,
      body: {},
      rejected: "unbounded-cost",
    },
    {
      feature: "the creation of `fileSearchStores` and their documents",
      endpoint: `${HOST}/v1beta/fileSearchStores`,
      body: {},
      rejected: "unbounded-cost",
    },
    { feature: "`interactions`", endpoint: `${HOST}/v1beta/interactions`, body: {}, rejected: "unbounded-cost" },
    { feature: "unknown models", endpoint: at("gemini-2.5-flush"), body: {}, rejected: "unknown-model" },
    { feature: "unknown fields", body: { surprise: 1 }, rejected: "unknown-field" },
    { feature: "unknown fields of parts", body: part({ hologram: {} }), rejected: "unknown-field" },
    { feature: "unknown tools", body: { tools: [{ hologram: {} }] }, rejected: "unknown-field" },
    {
      feature: "one field in two spellings",
      body: { generationConfig: { maxOutputTokens: 1, max_output_tokens: 2 } },
      rejected: "unknown-field",
    },
    {
      feature: "an invalid limit",
      body: { generationConfig: { maxOutputTokens: 0 } },
      rejected: "invalid-body",
    },
    { feature: "an invalid content", body: { contents: [{ parts: [{ text: 5 }] }] }, rejected: "invalid-body" },
  ],
}

/** Gemini's embeddings. */
export const GEMINI_EMBEDDINGS: FeatureTable = {
  title: "embedContent",
  endpoint: at("gemini-embedding-001", "embedContent"),
  model: "models/gemini-embedding-001",
  body: { content: { parts: [{ text: "Who is David Copperfield?" }] } },
  rows: [
    {
      feature: "`content`, `title`",
      body: { title: "A question about a novel" },
      bounded: "bytes of the text",
      source: `[embeddings](${DOCS}/embeddings)`,
      bound: "higher",
    },
    {
      feature: "`requests` of `batchEmbedContents`",
      endpoint: at("gemini-embedding-001", "batchEmbedContents"),
      body: { requests: [1, 2, 3].map(() => ({ content: { parts: [{ text: "Who is David Copperfield?" }] } })) },
      bounded: "the sum of the requests",
      source: `[embeddings](${DOCS}/embeddings)`,
      bound: "higher",
    },
    {
      feature: "`taskType`, `outputDimensionality`, `autoTruncate`, `embedContentConfig`",
      body: { taskType: "RETRIEVAL_DOCUMENT", outputDimensionality: 8, autoTruncate: true, embedContentConfig: {} },
      bounded: "not billed",
      source: `[embeddings](${DOCS}/embeddings)`,
      bound: "equal",
    },
    {
      feature: "media",
      body: { content: { parts: [{ inlineData: { mimeType: "image/png", data: "AAAA" } }] } },
      rejected: "unbounded-cost",
    },
    { feature: "unknown fields", body: { surprise: 1 }, rejected: "unknown-field" },
  ],
}
