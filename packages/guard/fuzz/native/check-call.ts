import type { BilledCall, LocalProvider } from "@p2/local-provider"
import { createPriceTable } from "@p2/pricing"
import fc from "fast-check"
import { findProtocol, type MeterReading, type PricedCall } from "../../src/protocols"
import { anthropicCall } from "./draw-anthropic"
import { geminiCall } from "./draw-gemini"
import type { NativeCall } from "./native-call"

const prices = createPriceTable({}, { extends: "published" })

/** The end of a call, and what disagrees. */
export interface CheckedCall {
  end: "rejected" | "not billed" | "reported" | "not reported"
  problems: string[]
  /** The bound as a multiple of the bill; undefined without a bill. */
  boundPerBill: number | undefined
}

/** Draws the call that a seed determines. */
export function drawCall(provider: NativeCall["provider"], seed: number): NativeCall {
  return fc.sample(provider === "anthropic" ? anthropicCall : geminiCall, { seed, numRuns: 1 })[0]!
}

/**
 * Sends a call to the imitation, and compares its bill with the bound of the call and with the usage that the meter read. The
 * imitation has its own counting and its own prices.
 */
export async function checkCall(provider: LocalProvider, call: NativeCall): Promise<CheckedCall> {
  const base = call.provider === "anthropic" ? provider.anthropicBaseURL : provider.geminiBaseURL
  const url = new URL(base + call.path)
  const description = findProtocol(
    { method: "POST", url, headers: new Headers(call.headers), body: { kind: "json", value: call.body } },
    { prices, deployments: {}, provider: call.provider },
  )
  if (description.status === "rejected") return { end: "rejected", problems: [], boundPerBill: undefined }
  if (description.status !== "priced") throw new Error(`The call is ${description.status}.`)
  provider.ledger.clear()
  provider.faults.clear()
  provider.faults.next(call.fault)
  const { input, maxOutputTokens, boundOptions, priceKey } = description
  const options = { ...boundOptions, inputTokens: input.upperBound, maxOutputTokens }
  const bound = prices.upperBound(priceKey, options).nanoUsd
  const reading = await send(url, call, description)
  const line = provider.ledger.calls[0]
  if (line === undefined || line.nanoUsd === 0) return { end: "not billed", problems: [], boundPerBill: undefined }
  const problems = [
    ...(line.nanoUsd > bound ? [`billed ${line.nanoUsd}, bound ${bound}: ${JSON.stringify(line.units)}`] : []),
    ...(reading === undefined ? [] : readingProblems(reading, line, description)),
  ]
  return { end: line.reported ? "reported" : "not reported", problems, boundPerBill: bound / line.nanoUsd }
}

function readingProblems(reading: MeterReading, line: BilledCall, { priceKey, boundOptions }: PricedCall): string[] {
  const { region } = boundOptions
  const costOf = (reported: MeterReading["usage"]) =>
    reported && prices.costOf(priceKey, reported.usage, { serviceTier: reading.serviceTier, region }).nanoUsd
  const [cost, lowerBound] = [costOf(reading.usage), costOf(reading.usageLowerBound)]
  const problems: string[] = []
  // Embeddings have no usage.
  const isExpected = line.reported
  if (isExpected && cost !== line.nanoUsd) problems.push(`billed ${line.nanoUsd}, read ${cost}`)
  if (isExpected && reading.state !== "complete") problems.push(`the state is ${reading.state}`)
  if (cost !== undefined && cost !== line.nanoUsd) problems.push(`billed ${line.nanoUsd}, read ${cost}`)
  if (lowerBound !== undefined && lowerBound > line.nanoUsd)
    problems.push(`billed ${line.nanoUsd}, but at least ${lowerBound} read`)
  return problems
}

/** Sends a call, and reads its answer with the meter; undefined: an error status. */
async function send(url: URL, call: NativeCall, description: PricedCall): Promise<MeterReading | undefined> {
  const body = JSON.stringify(description.bodyToSend({ maxOutputTokens: description.maxOutputTokens }))
  const headers = { ...call.headers, "content-type": "application/json" }
  const response = await fetch(url, { method: "POST", headers, body })
  const meter = description.createMeter()
  const text = await textOf(response)
  if (!response.ok) return undefined
  const isStream = (response.headers.get("content-type") ?? "").startsWith("text/event-stream")
  if (isStream) {
    // The last piece of a stream that was cut is no event.
    for (const event of text.split(/\r?\n\r?\n/).slice(0, -1)) {
      const data = /^data: (.*)$/m.exec(event)?.[1]
      if (data !== undefined) meter.add({ event: undefined, data: JSON.parse(data), text: data })
    }
  } else meter.add({ event: undefined, data: parsed(text), text })
  meter.end()
  return meter.read()
}

/** The body as far as it arrived. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  } catch {
    // The provider closed the connection.
  }
  return text
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
