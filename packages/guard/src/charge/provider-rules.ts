/** What a provider documents about the billing of responses that report no usage. */
export interface BillingRule {
  /** As in the usage entry; `any`: every provider, unless it has its own rule. */
  provider: string
  /** Statuses to which the rule applies; `errors`: every status of 400 or above. */
  statuses: readonly number[] | "errors"
  /** The provider's codes to which the rule applies. An error without a code may be one that is billed. @defaultValue every code */
  codes?: readonly string[]
  /**
   * Does not hold for a status of 500 or above that may come from a proxy in front of the provider: without the
   * provider's code, or one of Cloudflare's (520 to 530). @defaultValue false
   */
  ownErrors?: boolean
  /** `none`: nothing is billed. `possible`: the provider may bill, so the cost is in doubt. */
  billing: "none" | "possible"
  /** Also holds for an error inside an answer that has no output. @defaultValue false */
  insideAnswers?: boolean
  /** Holds only for calls without hosted tools, which are billed separately. @defaultValue false */
  withoutHostedTools?: boolean
  /** The documented rule, in our words. */
  rule: string
  source: string
  /** Day on which the source was read, `YYYY-MM-DD`. */
  asOf: string
}

/**
 * The documented rules. The first one that matches decides, and a rule of the provider precedes those of `any`. A status
 * that no rule lists is in doubt. No source states how Anthropic and OpenAI bill a status of 500 or above.
 */
export const BILLING_RULES: readonly BillingRule[] = [
  {
    provider: "azure",
    statuses: [400],
    codes: ["content_filter", "ResponsibleAIPolicyViolation", "context_length_exceeded", "string_above_max_length"],
    billing: "possible",
    rule: "A 400 that the content filter or the input limit causes is billed if the service processed the prompt.",
    source: "https://learn.microsoft.com/en-us/azure/ai-services/openai/how-to/manage-costs",
    asOf: "2026-11-30",
  },
  {
    provider: "azure",
    statuses: [408],
    billing: "possible",
    rule: "A timeout is billed if the service processed the prompt.",
    source: "https://learn.microsoft.com/en-us/azure/ai-services/openai/how-to/manage-costs",
    asOf: "2026-11-30",
  },
  {
    provider: "xai",
    statuses: [403],
    billing: "possible",
    rule: "A request that violates the usage guidelines is billed: its generation, or $0.05 if a response is stopped before, which every response reserves.",
    source: "https://docs.x.ai/developers/pricing",
    asOf: "2026-11-30",
  },
  {
    provider: "groq",
    statuses: [400],
    codes: ["json_validate_failed", "tool_use_failed"],
    billing: "possible",
    rule: "The answer was generated and is in `failed_generation`; no page says that it is not billed.",
    source: "https://console.groq.com/docs/tool-use",
    asOf: "2026-11-30",
  },
  {
    provider: "gemini",
    statuses: [400, 500],
    billing: "none",
    rule: "Tokens of a request that fails with 400 or 500 are not charged. Other statuses are not mentioned.",
    source: "https://ai.google.dev/gemini-api/docs/billing",
    asOf: "2026-11-30",
  },
  {
    provider: "google-vertex",
    statuses: "errors",
    billing: "none",
    rule: "Only requests that return status 200 are charged.",
    source: "https://cloud.google.com/vertex-ai/generative-ai/pricing",
    asOf: "2026-11-30",
  },
  {
    provider: "openrouter",
    statuses: "errors",
    billing: "none",
    insideAnswers: true,
    withoutHostedTools: true,
    ownErrors: true,
    rule: "A response without output tokens that ends in an error is not charged, except for searches and parsed files. An error of a proxy before OpenRouter proves nothing, nor does an answer that was damaged on its way.",
    source: "https://openrouter.ai/docs/features/zero-completion-insurance",
    asOf: "2026-11-30",
  },
  {
    provider: "novita",
    statuses: [400, 401, 403, 429, 500, 503, 504],
    billing: "none",
    rule: "Requests that are rejected before they reach the model, and errors of the platform, are not charged.",
    source: "https://novita.ai/docs/guides/llm-billing",
    asOf: "2026-11-30",
  },
  {
    provider: "any",
    statuses: [400, 401, 402, 404, 413, 422],
    billing: "none",
    rule: "By the definition of the status, the server rejected the request instead of processing it.",
    source: "https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5",
    asOf: "2026-11-30",
  },
  {
    provider: "any",
    statuses: [429],
    billing: "none",
    rule: "By the definition of the status, the server rejected the request because of its rate. OpenAI says so of flex.",
    source: "https://www.rfc-editor.org/rfc/rfc6585.html#section-4",
    asOf: "2026-11-30",
  },
]

/** The rule for an error status. Undefined: no source says how it is billed. */
export function ruleForStatus(
  provider: string,
  status: number,
  { code, innerCode }: { code?: string | undefined; innerCode?: string | undefined },
  hasHostedTools: boolean,
): BillingRule | undefined {
  return ruleOf(provider, hasHostedTools, ({ statuses, codes, billing, ownErrors }) => {
    const isListed = statuses === "errors" ? status >= 400 : statuses.includes(status)
    if (!isListed || (ownErrors === true && isFromProxy(status, code))) return false
    if (codes === undefined || (code === undefined && billing === "possible")) return true
    return [code, innerCode].some((each) => each !== undefined && codes.includes(each))
  })
}

/**
 * Whether an error may come from a proxy in front of the provider, which does not know whether the provider generated
 * an answer.
 */
function isFromProxy(status: number, code: string | undefined): boolean {
  return status >= 500 && (code === undefined || (status >= 520 && status <= 530))
}

/** The rule for an error inside an answer that has no output. */
export function ruleInsideAnswer(provider: string, hasHostedTools: boolean): BillingRule | undefined {
  return ruleOf(provider, hasHostedTools, ({ insideAnswers }) => insideAnswers === true)
}

function ruleOf(
  provider: string,
  hasHostedTools: boolean,
  matches: (rule: BillingRule) => boolean,
): BillingRule | undefined {
  const applies = (rule: BillingRule) => matches(rule) && !(rule.withoutHostedTools === true && hasHostedTools)
  return (
    BILLING_RULES.find((rule) => rule.provider === provider && applies(rule)) ??
    BILLING_RULES.find((rule) => rule.provider === "any" && applies(rule))
  )
}
