import { withoutCase } from "./spelling"

/**
 * Names of the same option in p2, other libraries and provider APIs. The error message suggests the first name of a group
 * that the function accepts.
 */
export const SYNONYMS: readonly (readonly string[])[] = [
  ["maxTokens", "maxOutputTokens", "maxCompletionTokens", "maxNewTokens", "maxTokensToSample", "outputLimit"],
  ["answerModel", "responseModel", "responseFormat", "responseSchema", "outputSchema", "answerSchema", "schema"],
  ["answerModel", "outputType", "format", "jsonSchema", "zodSchema", "answerFormat"],
  ["messages", "message", "msg", "msgs", "history", "conversation"],
  ["system", "systemPrompt", "instructions"],
  ["reasoningEffort", "reasoning", "effort", "thinking"],
  ["extraBody", "extra", "providerOptions", "modelKwargs"],
  ["extraHeaders", "headers"],
  ["maxBudget", "budget", "limit", "amount", "maxCost", "costLimit", "cap", "maximum", "max", "usd", "dollars"],
  ["userBudget", "userLimit", "budgetPerUser"],
  ["clientBudget", "clientLimit", "budgetPerClient"],
  ["per", "period", "window", "every", "interval", "duration"],
  ["timeZone", "tz", "zone"],
  ["userId", "user", "uid", "endUser"],
  ["clientId", "client"],
  ["tags", "labels"],
  ["timeoutMs", "timeout", "timeoutSeconds", "requestTimeout", "deadlineMs"],
  ["retries", "maxRetries", "numRetries", "attempts", "maxAttempts"],
  ["repairs", "maxRepairs", "validationRetries"],
  ["stop", "stopSequences", "stopWords", "stopStrings"],
  ["online", "webSearch", "search", "browsing"],
  ["webSearches", "searches", "webSearch", "webSearchRequests", "searchCount"],
  ["cachePrompt", "promptCaching", "cacheControl", "cache"],
  ["fallbacks", "fallbackModels", "fallback", "backupModels"],
  ["serviceTier", "tier"],
  ["choices", "n", "candidateCount", "numChoices"],
  ["temperature", "temp"],
  ["verbose", "debug"],
  ["logger", "logs", "log"],
  ["baseURL", "url", "endpoint", "apiBase", "host"],
  ["apiKey", "key", "token", "secret"],
  ["now", "clock", "time"],
  ["idempotencyKey", "id", "key", "requestId"],
  ["leaseMs", "lease", "ttl", "ttlMs", "expiresIn", "expiry"],
  ["alertAt", "alerts", "alert", "notifyAt", "thresholds"],
  ["store", "storage", "database", "db"],
  ["scope", "by", "dimension"],
  ["mediaType", "mimeType", "mime", "contentType"],
  ["filename", "name"],
  ["inputTokens", "promptTokens", "promptTokenCount", "tokensIn", "input"],
  ["outputTokens", "completionTokens", "candidatesTokenCount", "tokensOut", "output"],
  ["maxOutputTokens", "outputTokens", "completionTokens"],
  ["cacheReadTokens", "cachedTokens", "cachedInputTokens", "cacheReadInputTokens", "cachedContentTokenCount"],
  ["cacheWriteTokens", "cacheCreationTokens", "cacheCreationInputTokens"],
  ["reasoningTokens", "thinkingTokens", "thoughtsTokenCount"],
]

/** Returns the known name that is a synonym of `name`, or undefined. */
export function synonymOf(name: string, known: ReadonlySet<string>): string | undefined {
  const wanted = withoutCase(name)
  for (const group of SYNONYMS) {
    if (!group.some((synonym) => withoutCase(synonym) === wanted)) continue
    const match = group.find((synonym) => known.has(synonym))
    if (match !== undefined) return match
  }
  return undefined
}
