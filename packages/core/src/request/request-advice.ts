import type { OptionAdvice } from "../options/check-options"

const CLIENT_OPTION = "It is an option of `LLMClient`, in its second argument."
const CALL_OPTION = "It is an option of the call, such as `generate({ signal })`."
const WRITE_MESSAGES = 'Write `messages: [{ role: "user", content: "…" }]`.'
const WRITE_TOOLS = "Write `tools`, an option of `LLMClient`, in its second argument."
const EXTRA_BODY = "Write it in `extraBody`, as the provider spells it."

/** Says what to write instead of options of provider APIs, and where options of other functions belong. */
export const REQUEST_ADVICE: OptionAdvice = {
  prompt: WRITE_MESSAGES,
  input: WRITE_MESSAGES,
  content: WRITE_MESSAGES,
  question: WRITE_MESSAGES,
  tools: CLIENT_OPTION,
  toolChoice: CLIENT_OPTION,
  maxSteps: CLIENT_OPTION,
  functions: WRITE_TOOLS,
  functionCall: WRITE_TOOLS,
  parallelToolCalls: EXTRA_BODY,
  topK: EXTRA_BODY,
  topA: EXTRA_BODY,
  minP: EXTRA_BODY,
  logitBias: EXTRA_BODY,
  logprobs: EXTRA_BODY,
  topLogprobs: EXTRA_BODY,
  repetitionPenalty: EXTRA_BODY,
  n: "Send one request per answer.",
  timeout: "Did you mean `timeoutMs`, in milliseconds?",
  timeoutSeconds: "Did you mean `timeoutMs`, in milliseconds?",
  provider: "Write it in front of the model id, such as `openrouter/openai/gpt-4o-mini`.",
  budget: "Did you mean `maxBudget`, for this request, or `userBudget`, for all requests of a user?",
  signal: CALL_OPTION,
  abortSignal: CALL_OPTION,
  apiKey: CLIENT_OPTION,
  baseURL: CLIENT_OPTION,
  openai: CLIENT_OPTION,
  store: CLIENT_OPTION,
  prices: CLIENT_OPTION,
  providers: CLIENT_OPTION,
  logger: CLIENT_OPTION,
  logs: "Did you mean `logger`? It is an option of `LLMClient`, in its second argument.",
  deadlines: CLIENT_OPTION,
}
