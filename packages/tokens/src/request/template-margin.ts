import type { RequestModel } from "./request-model"

/**
 * gpt-oss: the system and developer messages of the harmony format have about 80 tokens, twice that is the bound.
 * https://developers.openai.com/cookbook/articles/openai-harmony
 */
const HARMONY = 160

/**
 * Chat templates of open models can contain a default system prompt: that of Qwen 2.5 has 20 tokens, those of Mistral Small
 * about 500, according to the `chat_template` that each publishes. What other vendors add is not published.
 */
const DEFAULT_SYSTEM_PROMPT = 1024

/** Models whose vendor reports a few tokens for a short message, and publishes examples of that. */
const WITHOUT_TEMPLATE = /^(claude|gemini|gemma)-/

/** Returns the tokens that the chat template of a model may add to a request, in addition to those of each message. */
export function templateMargin({ name, encoding }: RequestModel): number {
  if (encoding?.name === "o200k_harmony") return HARMONY
  return encoding !== undefined || WITHOUT_TEMPLATE.test(name) ? 0 : DEFAULT_SYSTEM_PROMPT
}
