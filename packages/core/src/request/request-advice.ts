import type { OptionAdvice } from "../options/check-options"

const CLIENT_OPTION = "It is an option of `LLMClient`, in its second argument."
const CALL_OPTION = "It is an option of the call, such as `generate({ signal })`."
const WRITE_MESSAGES = 'Write `messages: [{ role: "user", content: "…" }]`.'
const WRITE_SYSTEM = 'Write `messages: [{ role: "system", content: "…" }, …]`.'
const NO_TOOLS =
  "Requests have no tools: describe the choices of the model in `answerModel`, such as a union of objects."
const NO_SUCH_SETTING = "Requests do not support it; `temperature` and `topP` control sampling."

/** Says what to write instead of options of provider APIs, and where options of other functions belong. */
export const REQUEST_ADVICE: OptionAdvice = {
  prompt: WRITE_MESSAGES,
  input: WRITE_MESSAGES,
  content: WRITE_MESSAGES,
  question: WRITE_MESSAGES,
  system: WRITE_SYSTEM,
  systemPrompt: WRITE_SYSTEM,
  instructions: WRITE_SYSTEM,
  tools: NO_TOOLS,
  toolChoice: NO_TOOLS,
  functions: NO_TOOLS,
  functionCall: NO_TOOLS,
  parallelToolCalls: NO_TOOLS,
  topK: NO_SUCH_SETTING,
  topA: NO_SUCH_SETTING,
  minP: NO_SUCH_SETTING,
  logitBias: NO_SUCH_SETTING,
  logprobs: NO_SUCH_SETTING,
  topLogprobs: NO_SUCH_SETTING,
  repetitionPenalty: NO_SUCH_SETTING,
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
