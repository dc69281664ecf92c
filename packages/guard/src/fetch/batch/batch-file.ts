import { isRecord, parseJson } from "@p2/core"
import { findProtocol } from "../../protocols/find-protocol"
import type { CallDescription, PricedCall, ProviderCall, Rejection } from "../../protocols/protocol"
import { rejected, rejectionOf } from "../../protocols/rejection"
import type { Guard } from "../guard-options"
import { linesOf } from "./lines"

/** The upper bound of all calls in a file. */
export interface BatchBound {
  status: "bounded"
  nanoUsd: number
  tokens: number
  /** The model of the calls. */
  model: string
}

/** Calls that are described before other work gets a turn. */
const CALLS_PER_TURN = 50

/** The upper bound of the calls in a file, each at the price of a batch. `url` is that of the upload. */
export async function boundOfFile(
  guard: Guard,
  file: Blob,
  { url, headers }: ProviderCall,
): Promise<BatchBound | Rejection> {
  const bound: BatchBound = { status: "bounded", nanoUsd: 0, tokens: 0, model: "unknown" }
  let number = 0
  try {
    for await (const line of linesOf(file.stream())) {
      number += 1
      const call = callOf(line, url, headers)
      const each = "status" in call ? call : boundOfCall(guard, call)
      if (each.status === "rejected") return rejected(each.reason, `Line ${number} of the batch: ${each.message}`)
      bound.nanoUsd += each.nanoUsd
      bound.tokens += each.tokens
      if (each.model !== undefined) bound.model = each.model
      if (number % CALLS_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0))
    }
  } catch (error) {
    if (error instanceof RangeError) return rejected("invalid-body", `Line ${number + 1} of the batch is too long.`)
    throw error
  }
  const isSafe = Number.isSafeInteger(bound.nanoUsd) && Number.isSafeInteger(bound.tokens)
  return isSafe ? bound : rejected("unbounded-cost", "The upper bound of the batch is too large to be counted.")
}

/** The call in a line, as the provider would receive it at the host of the batch. */
function callOf(line: string, { origin }: URL, headers: Headers): ProviderCall | Rejection {
  const value = parseJson(line)
  const isCall = isRecord(value) && value.method === "POST" && isRecord(value.body)
  if (!isCall || typeof value.url !== "string" || !/^\/v1\/[\w/]+$/.test(value.url))
    return rejected(
      "invalid-body",
      'Expected JSON such as { "method": "POST", "url": "/v1/chat/completions", "body": {} }.',
    )
  return {
    method: "POST",
    url: new URL(value.url, origin),
    headers,
    body: { kind: "json", value: value.body as Record<string, unknown> },
  }
}

interface CallBound {
  status: "bounded"
  nanoUsd: number
  tokens: number
  model: string | undefined
}

const FREE: CallBound = { status: "bounded", nanoUsd: 0, tokens: 0, model: undefined }

function boundOfCall(guard: Guard, call: ProviderCall): CallBound | Rejection {
  // What the guard adds to a call of its own is not in the file.
  const described = findProtocol(call, { ...guard, serviceTier: undefined, maxToolCalls: undefined })
  if (described.status === "rejected") return described
  if (described.status === "free") return FREE
  return described.status === "priced" ? boundOfPriced(guard, described) : notABatch(described)
}

function notABatch({ status }: CallDescription): Rejection {
  return rejected("unknown-endpoint", `A call of this kind (${status}) cannot run in a batch.`)
}

function boundOfPriced({ prices }: Guard, described: PricedCall): CallBound | Rejection {
  const { boundOptions, input, maxOutputTokens, priceKey, model } = described
  const { serviceTier = "auto" } = boundOptions
  if (serviceTier !== "auto" && serviceTier !== "default" && serviceTier !== "batch")
    return rejected("unbounded-cost", "No source says how a batch bills `service_tier`. Omit it.")
  try {
    const options = { ...boundOptions, inputTokens: input.upperBound, maxOutputTokens, serviceTier: "batch" }
    const { nanoUsd, tokens } = prices.upperBound(priceKey, options)
    return { status: "bounded", nanoUsd, tokens, model }
  } catch (error) {
    return rejectionOf(error)
  }
}
