import { isRecord, parseJson, type Usage } from "@p2/core"
import { regionOfURL } from "@p2/pricing"
import type { BatchLine } from "../../protocols/batch-format"
import { priceKeyOf } from "../../protocols/variants/called-model"
import type { Guard } from "../guard-options"
import { chargeOf } from "../plan-call"
import { linesOf } from "./lines"
import type { PolledBatch } from "./polled-batch"

type Batch = Readonly<Record<string, unknown>>

/** The content of the output of a batch. */
export interface BatchOutput {
  /** Undefined: the output does not say what every call cost. */
  costNanoUsd: number | undefined
  /** The cost of the calls whose usage was read. */
  leastNanoUsd: number
  inputTokens: number
  outputTokens: number
  model: string | undefined
}

const NOTHING: BatchOutput = { costNanoUsd: 0, leastNanoUsd: 0, inputTokens: 0, outputTokens: 0, model: undefined }
const UNKNOWN: BatchOutput = { ...NOTHING, costNanoUsd: undefined }

/** Reads the output of a batch that has ended. Undefined: it did not arrive. */
export async function readOutput(guard: Guard, poll: PolledBatch, batch: Batch): Promise<BatchOutput | undefined> {
  const { url } = poll.read.call
  const { provider, format } = poll.described
  const answered = format.answered(batch)
  const outputURL = format.outputURL(batch, url)
  if (outputURL === undefined) return answered === 0 ? NOTHING : UNKNOWN
  const file = await fetchFile(guard, outputURL, poll)
  if (file === undefined) return undefined
  const region = regionOfURL(url.href)
  const output = { ...NOTHING }
  let answers = 0
  try {
    for await (const text of linesOf(file)) {
      const line = parseJson(text)
      const read: BatchLine = isRecord(line) ? format.readLine(line, batch) : { status: "unknown" }
      if (read.status !== "unbilled" || read.isAnswer) answers += 1
      add(output, costOfLine(guard, { provider, region }, read, text))
    }
  } catch {
    return undefined
  }
  return answered !== undefined && answered !== answers ? { ...output, costNanoUsd: undefined } : output
}

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

/** The cost of the call in a line, at the batch price. */
function costOfLine(
  guard: Guard,
  seller: { provider: string; region: string | undefined },
  line: BatchLine,
  text: string,
): BatchOutput {
  if (line.status !== "answered") return line.status === "unbilled" ? NOTHING : UNKNOWN
  const { meter, body } = line
  meter.add({ event: undefined, data: body, text })
  meter.end()
  const { usage, usageLowerBound, model } = meter.read()
  const reported = usage ?? usageLowerBound
  if (model === undefined || reported === undefined) return UNKNOWN
  const costNanoUsd = costOf(guard, { ...seller, model }, reported.usage)
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
    return chargeOf(
      prices,
      priceKey,
      { usage, cost: undefined },
      { serviceTier: "batch", region: usage.region ?? region },
    )?.costNanoUsd
  } catch {
    return undefined
  }
}
