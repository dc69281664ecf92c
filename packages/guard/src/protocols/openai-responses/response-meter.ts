import { isRecord } from "@p2/core"
import { type ReportedUsage, readOpenAIResponsesUsage, type UsageReading } from "@p2/pricing/usage"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { readReportedError, reportsError } from "../openai-chat/reported-error"
import { coversContent, reportedIn, usageInError } from "../reported-usage"

/** The idempotency key of the reservation of a background response. */
export function backgroundKey(responseId: string): string {
  return `response:${responseId}`
}

type Fields = Readonly<Record<string, unknown>>

/** Statuses of a response that has ended. */
const ENDED: ReadonlySet<unknown> = /* @__PURE__ */ new Set(["completed", "incomplete", "failed", "cancelled"])

/**
 * OpenAI bills the results of each web search as 8,000 input tokens for these models, and does not say whether the reported
 * input includes them: https://developers.openai.com/api/docs/pricing#built-in-tools
 */
const FIXED_SEARCH = { models: /(^|\/)gpt-4(o|\.1)-mini(-20\d\d-\d\d-\d\d)?$/, tokens: 8_000 }

export interface ResponseMeterOptions {
  provider: string
  /** Maximum number of hosted tool calls: further attempts are ignored and not billed. @defaultValue no maximum */
  maxToolCalls?: number | undefined
  /** Gigabytes of a container. @defaultValue from the tools in the response */
  containerGB?: number | undefined
  /** The model whose rules apply. @defaultValue the model of the response */
  model?: string | undefined
}

/** Reads the usage of a response from one JSON body or from the events of a stream. */
export class ResponseMeter implements Meter {
  readonly #options: ResponseMeterOptions
  #response: Fields | undefined
  #receivedBytes = 0
  #hasContent = false
  /** The last usage covers all content that has arrived. */
  #isUsageLast = false
  #hasEnded = false
  #isBroken = false
  #error: ReportedError | undefined
  #reading: UsageReading = { status: "none" }

  constructor(options: ResponseMeterOptions) {
    this.#options = options
  }

  add({ event, data }: WireEvent): { usageOnly: boolean } {
    const type = isRecord(data) ? String(data.type ?? event ?? "") : ""
    if (!isRecord(data)) this.#isBroken = true
    else if (event === undefined && data.object === "response") this.#addResponse(data, { isWhole: true })
    else if (isRecord(data.response)) this.#addResponse(data.response, { isWhole: type.startsWith("response.") })
    else if (type === "error" || isRecord(data.error) || (event === undefined && reportsError(data)))
      this.#addError(data)
    else if (event === undefined) this.#isBroken = true
    else this.#addContent(type, data)
    return { usageOnly: false }
  }

  end(): void {
    // A response that has not ended continues in the background, or is incomplete.
  }

  read(): MeterReading {
    const { id, model, service_tier: serviceTier } = this.#response ?? {}
    const reported = reportedIn(this.#reading)
    const billed = reported && this.#billed(reported)
    return {
      state: this.#isBroken ? "broken" : this.#hasEnded ? "complete" : "open",
      usage: this.#isFinal() ? billed : undefined,
      usageLowerBound: billed,
      receivedOutputTokens: this.#receivedBytes,
      model: shortString(model),
      serviceTier: this.#hasEnded ? shortString(serviceTier) : undefined,
      generationId: shortString(id),
      error: this.#error,
      continues:
        this.#response?.background === true && !this.#hasEnded && typeof id === "string"
          ? { idempotencyKey: backgroundKey(id) }
          : undefined,
    }
  }

  /** Whether the usage is that of the whole call. It is not if a count is zero although there is output. */
  #isFinal(): boolean {
    const hasEnded = this.#hasEnded || this.#error !== undefined
    if (this.#reading.status !== "exact" || !this.#isUsageLast || !hasEnded) return false
    return coversContent(this.#reading.usage, this.#hasContent)
  }

  #addResponse(response: Fields, { isWhole }: { isWhole: boolean }): void {
    this.#response = response
    if (!isWhole) return
    if (isRecord(response.error)) this.#error ??= readReportedError(response.error)
    this.#hasEnded = ENDED.has(response.status)
    if (response.status === "failed") this.#isBroken = true
    // The items of a stream have arrived as deltas.
    const { output } = response
    if (Array.isArray(output) && output.length > 0) {
      this.#hasContent = true
      if (this.#hasEnded && this.#receivedBytes === 0) this.#receivedBytes = outputBytes(output)
    }
    if (!isRecord(response.usage)) return
    this.#reading = this.#readUsage(response.usage, response)
    this.#isUsageLast = true
  }

  #addContent(type: string, { delta }: Fields): void {
    const isDelta = type.endsWith(".delta")
    if (isDelta) this.#receivedBytes += outputBytes(delta)
    if (!isDelta && !type.startsWith("response.output_item.")) return
    this.#hasContent = true
    this.#isUsageLast = false
  }

  /** A usage in the error itself is that of the whole call. */
  #addError(body: Fields): void {
    this.#isBroken = true
    this.#error ??= readReportedError(isRecord(body.error) ? body.error : body)
    const usage = usageInError(body)
    // A usage before the error is not that of the whole call, unless the answer had ended.
    this.#isUsageLast = usage !== undefined || (this.#isUsageLast && this.#hasEnded)
    if (usage !== undefined) this.#reading = this.#readUsage(usage, this.#response ?? {})
  }

  #readUsage(usage: Fields, response: Fields): UsageReading {
    const { provider, maxToolCalls = Number.POSITIVE_INFINITY } = this.#options
    const items = Array.isArray(response.output) ? response.output.filter(isRecord) : []
    const webSearches = billedSearches(response.tool_usage) ?? Math.min(items.filter(isSearch).length, maxToolCalls)
    const fileSearches = Math.min(items.filter(({ type }) => type === "file_search_call").length, maxToolCalls)
    const containers = new Set(items.map(containerOf).filter((id) => id !== undefined))
    const gigabytes = this.#options.containerGB || containerGB(response.tools)
    const codeInterpreterSessions = containers.size * gigabytes
    return readOpenAIResponsesUsage(usage, { webSearches, fileSearches, codeInterpreterSessions }, provider)
  }

  /** The usage as it is billed: for some models, with the results of searches. */
  #billed({ usage, cost }: ReportedUsage): ReportedUsage {
    const { model = String(this.#response?.model) } = this.#options
    const { webSearches = 0 } = usage
    if (webSearches === 0 || !FIXED_SEARCH.models.test(model)) return { usage, cost }
    const inputTokens = usage.inputTokens + webSearches * FIXED_SEARCH.tokens
    const assumption = "each web search is billed as 8,000 input tokens in addition to the reported input"
    return { usage: { ...usage, inputTokens, assumptions: [...(usage.assumptions ?? []), assumption] }, cost }
  }
}

/** The billable searches, if the response counts them: `tool_usage.web_search.num_requests`. */
function billedSearches(toolUsage: unknown): number | undefined {
  const searches = isRecord(toolUsage) ? toolUsage.web_search : undefined
  const count = isRecord(searches) ? searches.num_requests : undefined
  return typeof count === "number" && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

/** Only searches are billed, and not the pages that the model opens: https://platform.openai.com/docs/guides/tools-web-search */
function isSearch({ type, action }: Fields): boolean {
  if (type !== "web_search_call") return false
  const kind = isRecord(action) ? action.type : undefined
  return kind === undefined || kind === "search"
}

/** The container of a code interpreter or hosted shell call. */
function containerOf({ type, container_id: id, environment }: Fields): unknown {
  if (type === "code_interpreter_call") return id ?? "unknown"
  return type === "shell_call" && isRecord(environment) ? environment.container_id : undefined
}

/** Gigabytes of the largest container of the tools; 1 if there is none. */
function containerGB(tools: unknown): number {
  if (!Array.isArray(tools)) return 1
  const limits = tools
    .filter(isRecord)
    .flatMap(({ container, environment }) =>
      [container, environment].map((each) => (isRecord(each) ? Number.parseInt(String(each.memory_limit), 10) : 1)),
    )
  return Math.max(1, ...limits.filter((limit) => limit > 0))
}

function shortString(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, 200) : undefined
}

/** UTF-8 bytes of what the model wrote. A token has at least one byte. */
function outputBytes(value: unknown): number {
  if (value === undefined || value === null) return 0
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)).length
}
