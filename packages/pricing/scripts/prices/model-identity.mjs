// Decides which names of different sellers are the same model. Used for limits only, never for a price.

/**
 * Sellers' spellings, in the order in which they are removed. Removing them never makes two models of one family equal.
 */
const SPELLINGS = [
  // Bedrock's regions, and its vendors before the name.
  [/^(global|regional|us|eu|apac|au|jp|us-gov)\./, ""],
  [
    /^(ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshotai?|nvidia|openai|qwen|writer|zai)\./,
    "",
  ],
  // Deployment versions of Bedrock and Vertex AI.
  [/[-@]v\d+:\d+$/, ""],
  [/:\d+$/, ""],
  // Words that describe how the model is served.
  [/:beta$/, ""],
  [/-maas$/, ""],
  [/-(fp8|bf16|nvfp4)$/, ""],
  // Dots, underscores and Fireworks' p between the numbers of a version.
  [/(\d)p(\d)/g, "$1.$2"],
  [/[._@]/g, "-"],
  // Names that one vendor's models have under two spellings.
  [/^meta-llama-/, "llama-"],
  [/^llama-?v?(\d)/, "llama-$1"],
  [/^gpt-35-/, "gpt-3-5-"],
  [/^claude-(\d(?:-\d)?)-(opus|sonnet|haiku)$/, "claude-$2-$1"],
  [/^gemini-(pro|flash)-(\d-\d)/, "gemini-$2-$1"],
]

/** Normalizes the name of a row's model: without vendor, region and variants of spelling. */
export function identityOf({ provider, name }) {
  let identity = name.slice(name.lastIndexOf("/") + 1).toLowerCase()
  // Hugging Face lists every model again for each policy that selects a server.
  if (provider.startsWith("huggingface-")) identity = identity.replace(/-fast$/, "")
  for (const [pattern, replacement] of SPELLINGS) identity = identity.replace(pattern, replacement)
  return identity
}

/** Removes the date of a version from a name. */
export function withoutVersionDay(identity) {
  return identity.replace(/-(20\d\d-?\d\d-?\d\d|latest)$/, "")
}
