import { isBudgetError, type Reservation, type Subject } from "@p2/budget"
import { isRecord, parseJson, type Usage } from "@p2/core"
import { regionOfURL } from "@p2/pricing"
import { settleAttempt } from "../../charge/attempt"
import type { Charge } from "../../charge/charge"
import type { Meter } from "../../protocols/meter"
import { ENDED_BATCHES } from "../../protocols/openai-batch/batch-meter"
import { ChatCompletion } from "../../protocols/openai-chat/chat-completion"
import { EmbeddingsMeter } from "../../protocols/openai-embeddings/embeddings-meter"
import { ResponseMeter } from "../../protocols/openai-responses/response-meter"
import type { BatchPoll } from "../../protocols/protocol"
import { priceKeyOf } from "../../protocols/variants/called-model"
import { started } from "../background"
import type { Guard } from "../guard-options"
import { chargeOf } from "../plan-call"
import type { ReadCall } from "../read-call"
import { readWhole, responseOf } from "../read-response"
import { inCurrentScope, mergeSubjects } from "../scope"
import { chargedFields, reportAttempt } from "../settle-call"
import { linesOf } from "./lines"

/** A poll, and who polls. */
export interface PolledBatch {
  read: Extract<ReadCall, { status: "read" }>
  headers: Headers
  described: BatchPoll
  subject: Subject | undefined
}

type Batch = Readonly<Record<string, unknown>>

/** Sends a poll of a batch. If the batch has ended, its output file settles the reservation of the call that started it. */
export async function pollBatch(guard: Guard, poll: PolledBatch): Promise<Response> {
  const response = await guard.fetch(...poll.read.argumentsFor({ headers: poll.headers }))
  if (!response.ok) return response
  const body = await readWhole(response.body)
  const batch = parseJson(new TextDecoder().decode(body.bytes))
  if (isRecord(batch) && batch.object === "batch" && ENDED_BATCHES.has(batch.status))
    await settleBatch(guard, poll, batch)
  return responseOf(response, body)
}

/** Never rejects for the budget: the answer matters more, and an unsettled reservation is charged when its lease ends. */
async function settleBatch(guard: Guard, poll: PolledBatch, batch: Batch): Promise<void> {
  const { idempotencyKey } = poll.described
  const { budget, subject } = inCurrentScope(guard.budget, guard.subject)
  try {
    const owner = mergeSubjects(subject, poll.subject)
    const reservation = started.get(idempotencyKey) ?? (await budget.resume(idempotencyKey, { subject: owner }))
    const output = await readOutput(guard, poll, batch)
    // A file that does not arrive is read by a later poll.
    if (output === undefined) return
    await settle(guard, poll, { reservation, batch, output })
    started.delete(idempotencyKey)
  } catch (error) {
    // An earlier poll settled it, it was never reserved here, or the store failed.
    if (!isBudgetError(error)) throw error
    if (error.code === "reservation-resolved") started.delete(idempotencyKey)
  }
}

/** What the output of a batch says. */
interface BatchOutput {
  /** Undefined: the output does not say what every call cost. */
  costNanoUsd: number | undefined
  /** The cost of the calls whose usage was read. */
  leastNanoUsd: number
  inputTokens: number
  outputTokens: number
  model: string | undefined
}

async function settle(
  guard: Guard,
  { described }: PolledBatch,
  { reservation, batch, output }: { reservation: Reservation; batch: Batch; output: BatchOutput },
): Promise<void> {
  const { nanoUsd: reservedNanoUsd = 0, tokens: reservedTokens = 0 } = reservation.amount
  const { costNanoUsd, leastNanoUsd, inputTokens, outputTokens, model } = output
  const isKnown = costNanoUsd !== undefined
  const tokens = inputTokens + outputTokens
  const charge: Charge = {
    status: "charged",
    costNanoUsd: isKnown ? costNanoUsd : Math.max(reservedNanoUsd, leastNanoUsd),
    tokens: isKnown ? tokens : Math.max(reservedTokens, tokens),
    costSource: isKnown ? (costNanoUsd === 0 ? "none" : "table") : "bound",
    tableCostNanoUsd: undefined,
    inDoubt: !isKnown,
    health: "unknown",
  }
  const status = batch.status === "completed" ? "succeeded" : "failed"
  const { provider } = described
  const settlement = await settleAttempt({ reservation }, charge, {
    status,
    provider,
    modelUsed: model,
    generationId: String(batch.id).slice(0, 200),
    tokens: { inputTokens, outputTokens },
  })
  if (settlement.status === "settled" && settlement.replayed) return
  const called = { provider, model: model ?? "unknown" }
  reportAttempt(guard, called, {
    status,
    httpStatus: 200,
    reservedNanoUsd,
    limits: reservation.limits,
    ...chargedFields(guard, called, { charge, reservedNanoUsd, settlement }),
    inputTokens,
    outputTokens,
  })
}

/** Reads the output file. Undefined: it did not arrive. */
async function readOutput(guard: Guard, poll: PolledBatch, batch: Batch): Promise<BatchOutput | undefined> {
  const completed = isRecord(batch.request_counts) ? batch.request_counts.completed : undefined
  const fileId = batch.output_file_id ?? undefined
  if (fileId === undefined) return completed === undefined || completed === 0 ? NOTHING : UNKNOWN
  const { url } = poll.read.call
  const base = url.href.slice(0, url.href.lastIndexOf("/batches/"))
  const response = await fetchFile(guard, `${base}/files/${encodeURIComponent(String(fileId))}/content`, poll)
  if (response === undefined) return undefined
  const output: BatchOutput = { ...NOTHING, costNanoUsd: 0 }
  let calls = 0
  try {
    for await (const line of linesOf(response)) {
      const each = readLine(guard, poll.described.provider, batch.endpoint, line, regionOfURL(url.href))
      calls += 1
      add(output, each)
    }
  } catch {
    return undefined
  }
  return typeof completed === "number" && completed !== calls ? { ...output, costNanoUsd: undefined } : output
}

const NOTHING: BatchOutput = { costNanoUsd: 0, leastNanoUsd: 0, inputTokens: 0, outputTokens: 0, model: undefined }
const UNKNOWN: BatchOutput = { ...NOTHING, costNanoUsd: undefined }

async function fetchFile(
  guard: Guard,
  url: string,
  { headers, read }: PolledBatch,
): Promise<ReadableStream<Uint8Array> | undefined> {
  const sent = new Headers(headers)
  for (const name of ["content-length", "content-type", "if-none-match", "range"]) sent.delete(name)
  try {
    const signal = read.signal ?? null
    const response = await guard.fetch(url, { method: "GET", headers: sent, signal, redirect: "error" })
    return response.ok && response.body !== null ? response.body : undefined
  } catch {
    return undefined
  }
}

function add(output: BatchOutput, { costNanoUsd, leastNanoUsd, inputTokens, outputTokens, model }: BatchOutput): void {
  output.costNanoUsd =
    output.costNanoUsd === undefined || costNanoUsd === undefined ? undefined : output.costNanoUsd + costNanoUsd
  output.leastNanoUsd += leastNanoUsd
  output.inputTokens += inputTokens
  output.outputTokens += outputTokens
  output.model ??= model
}

/** The cost of the call in a line, at the price of a batch. A call with an error status is not billed. */
function readLine(
  guard: Guard,
  provider: string,
  endpoint: unknown,
  line: string,
  region: string | undefined,
): BatchOutput {
  const value = parseJson(line)
  const response = isRecord(value) ? value.response : undefined
  if (!isRecord(response)) return isRecord(value) && isRecord(value.error) ? NOTHING : UNKNOWN
  if (typeof response.status_code === "number" && response.status_code >= 400) return NOTHING
  const meter = meterOf(provider, endpoint)
  if (meter === "free") return NOTHING
  if (meter === undefined || !isRecord(response.body)) return UNKNOWN
  meter.add({ event: undefined, data: response.body, text: line })
  meter.end()
  const { usage, usageLowerBound, model } = meter.read()
  const reported = usage ?? usageLowerBound
  if (model === undefined || reported === undefined) return UNKNOWN
  const costNanoUsd = costOf(guard, { provider, model, region }, reported.usage)
  const { inputTokens, outputTokens } = reported.usage
  const counts = { leastNanoUsd: costNanoUsd ?? 0, inputTokens, outputTokens, model }
  return { ...counts, costNanoUsd: usage === undefined ? undefined : costNanoUsd }
}

interface PricedModel {
  provider: string
  model: string
  region: string | undefined
}

/** Undefined: there is no price. */
function costOf({ prices }: Guard, { provider, model, region }: PricedModel, usage: Usage): number | undefined {
  try {
    const priceKey = priceKeyOf(provider, model, prices)
    return chargeOf(prices, priceKey, { usage, cost: undefined }, { serviceTier: "batch", region })?.costNanoUsd
  } catch {
    return undefined
  }
}

/** The reader of the answers of an endpoint. */
function meterOf(provider: string, endpoint: unknown): Meter | "free" | undefined {
  switch (endpoint) {
    case "/v1/chat/completions":
      return new ChatCompletion({ provider })
    case "/v1/responses":
      return new ResponseMeter({ provider })
    case "/v1/embeddings":
      return new EmbeddingsMeter()
    case "/v1/moderations":
      return "free"
    default:
      return undefined
  }
}
