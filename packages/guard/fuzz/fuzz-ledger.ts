import assert from "node:assert/strict"
import { type BilledCall, type Fault, type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { createPriceTable } from "@p2/pricing"
import {
  describeCall,
  type Meter,
  type PricedCall,
  type ProtocolContext,
  type ProviderCall,
  type ReportedUsage,
} from "../src/protocols"
import { readForm } from "../src/protocols/form-fields"
import { Draw } from "./draw"

/** A drawn call. */
export interface DrawnCall {
  /** The real provider's URL, which the guard describes. */
  url: string
  /** The same call at the local provider. */
  sentTo: string
  headers: Record<string, string>
  body: Record<string, unknown> | FormData
  /** What the local provider does with it. */
  fault: Fault
}

/** A wire format with its random calls. */
export interface FuzzedProtocol {
  name: string
  /** Options of the guard. */
  options?: Partial<ProtocolContext>
  draw(draw: Draw, provider: LocalProvider): DrawnCall
  /** Further calls that belong to a call, such as the poll of a background response. @returns the meter with the usage */
  follow?(call: DrawnCall, meter: Meter): Promise<Meter>
}

export interface FuzzResult {
  played: number
  /** Calls that the local provider rejected without billing, such as a prompt above the context window. */
  rejected: number
  reported: number
  medianRatio: number
}

const context: ProtocolContext = { prices: createPriceTable({}, { extends: "published" }), deployments: {} }

/**
 * Plays random calls against the local provider, which bills by its own rules: no bound is below its bill, and every
 * usage that it reports is read as billed.
 * @throws AssertionError with the seed of the call
 */
export async function fuzzLedger(
  protocol: FuzzedProtocol,
  { calls, seed }: { calls: number; seed: string },
): Promise<FuzzResult> {
  await using provider = await startLocalProvider({ ownRules: true })
  const ratios: number[] = []
  let rejected = 0
  let reported = 0
  for (let index = 0; index < calls; index++) {
    const name = `${protocol.name} --seed ${seed} call ${index}`
    const draw = new Draw(name)
    const line = await playCall(protocol, draw, provider, name)
    if (line === undefined) rejected += 1
    else {
      if (line.isReported) reported += 1
      if (line.ratio !== undefined) ratios.push(line.ratio)
    }
  }
  ratios.sort((a, b) => a - b)
  return { played: calls, rejected, reported, medianRatio: ratios[Math.floor(ratios.length / 2)] ?? Number.NaN }
}

async function playCall(protocol: FuzzedProtocol, draw: Draw, provider: LocalProvider, name: string) {
  const drawn = protocol.draw(draw, provider)
  const call: ProviderCall = {
    method: "POST",
    url: new URL(drawn.url),
    headers: new Headers(drawn.headers),
    body:
      drawn.body instanceof FormData
        ? { kind: "form", fields: await readForm(drawn.body) }
        : { kind: "json", value: drawn.body },
  }
  const description = describeCall(call, { ...context, ...protocol.options })
  assert.equal(description.status, "priced", `${name}: ${JSON.stringify(description)}`)
  if (description.status !== "priced") return undefined
  const { priceKey, input, boundOptions } = description
  assert.ok(input.estimate <= input.upperBound, `${name}: the estimate exceeds the bound`)
  const maxOutputTokens = drawLimit(draw, description)
  const bound = context.prices.upperBound(priceKey, { ...boundOptions, inputTokens: input.upperBound, maxOutputTokens })
  provider.faults.next(drawn.fault)
  provider.ledger.clear()
  const body = description.bodyToSend({ maxOutputTokens, maxPrice: bound.maxPrice })
  const isForm = drawn.body instanceof FormData
  const response = await fetch(drawn.sentTo, {
    method: "POST",
    headers: {
      ...(!isForm && { "content-type": "application/json" }),
      authorization: "Bearer key",
      ...drawn.headers,
    },
    body: drawn.body instanceof FormData ? drawn.body : JSON.stringify(body),
  })
  const text = await textOf(response)
  const type = response.headers.get("content-type") ?? ""
  const [line] = provider.ledger.calls
  provider.faults.clear()
  if (line === undefined) {
    assert.equal(response.status, 400, `${name}: ${text}`)
    return undefined
  }
  const about = `${name}: bound ${bound.nanoUsd}, bill ${line.nanoUsd}, ${JSON.stringify(line.units)}, bound options ${JSON.stringify({ ...boundOptions, ...input, maxOutputTokens })}`
  assert.ok(bound.nanoUsd >= line.nanoUsd, about)
  assert.ok(bound.tokens >= line.promptTokens + line.completionTokens, `${about}: tokens`)
  let meter = description.createMeter()
  // A file is shown to the meter as one event without data.
  if (type.startsWith("audio/")) readResponse(meter, "", type)
  else readResponse(meter, text, type)
  meter = (await protocol.follow?.(drawn, meter)) ?? meter
  checkReading(meter, line, description, about)
  return { isReported: line.reported, ratio: line.nanoUsd > 0 ? bound.nanoUsd / line.nanoUsd : undefined }
}

/** The limit of the call, or sometimes a lower one, as a guard that clamps the output would send it. */
function drawLimit(draw: Draw, { maxOutputTokens, minOutputTokens }: PricedCall): number | undefined {
  if (maxOutputTokens === undefined) return draw.chance(0.5) ? minOutputTokens + draw.between(0, 200) : undefined
  return draw.chance(0.2) && maxOutputTokens > minOutputTokens
    ? draw.between(minOutputTokens, maxOutputTokens)
    : maxOutputTokens
}

function checkReading(meter: Meter, line: BilledCall, description: PricedCall, about: string): void {
  const reading = meter.read()
  const read = `${about}: ${JSON.stringify(reading)}`
  const chargeOf = ({ usage, cost }: ReportedUsage) =>
    context.prices.costOf(description.priceKey, usage, {
      serviceTier: reading.serviceTier,
      region: description.boundOptions.region,
      reported: cost,
    }).nanoUsd
  if (reading.usageLowerBound !== undefined) assert.ok(chargeOf(reading.usageLowerBound) <= line.nanoUsd, read)
  // A meter ignores a usage of zero tokens, so that the call stays in doubt at its bound.
  if (line.nanoUsd > 0) assert.equal(reading.usage !== undefined, line.reported, read)
  if (reading.usage !== undefined) assert.equal(chargeOf(reading.usage), line.nanoUsd, read)
}

/** The body as far as it arrived: the provider may cut it. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  } catch {
    // The connection was closed.
  }
  return text
}

/** Reads a body or an event stream by the simplest rules, independently of the guard's reader. */
export function readResponse(meter: Meter, text: string, contentType: string): void {
  if (!contentType.startsWith("text/event-stream")) {
    meter.add({ event: undefined, data: parsed(text), text })
    meter.end()
    return
  }
  // The text after the last empty line was cut off.
  for (const block of text.split(/\r?\n\r?\n/).slice(0, -1)) {
    const lines = block.split(/\r?\n/)
    const event = lines.find((each) => each.startsWith("event: "))?.slice(7)
    const data = lines.find((each) => each.startsWith("data: "))?.slice(6)
    if (data !== undefined) meter.add({ event: event ?? "message", data: parsed(data), text: data })
  }
  meter.end()
}

/** Undefined: not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
