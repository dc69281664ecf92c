import { isRecord, parseJson } from "@p2/core"
import { describeCall } from "../../protocols/describe-call"
import { shownField } from "../../protocols/identifier"
import type { ProviderCall, Rejection } from "../../protocols/protocol"
import { rejected } from "../../protocols/rejection"
import {
  addBounds,
  type BatchBound,
  boundInBatch,
  type FileBound,
  inBatch,
  NO_CALLS,
} from "../../protocols/variants/batch-price"
import { unknownField } from "../../protocols/variants/body-fields"
import type { Guard } from "../guard-options"
import { linesOf } from "./lines"
import { repeatedName } from "./repeated-name"

/** Calls that are described before other work gets a turn. */
const CALLS_PER_TURN = 50

/** The upper bound of the calls in a file, each at the batch price. `url` is the URL of the upload. */
export async function boundOfFile(
  guard: Guard,
  file: Blob,
  { url, headers }: ProviderCall,
): Promise<FileBound | Rejection> {
  let bound = NO_CALLS
  let endpoint: string | undefined
  let number = 0
  try {
    for await (const line of linesOf(file.stream())) {
      number += 1
      const call = callOf(line, url, headers)
      const each = "status" in call ? call : boundOfCall(guard, call, endpoint)
      if (each.status === "rejected") return inBatch(each, `Line ${number}`)
      const sum = addBounds(bound, each)
      if (sum.status === "rejected") return sum
      bound = sum
      endpoint ??= "url" in call ? call.url.pathname : undefined
      if (number % CALLS_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0))
    }
  } catch (error) {
    if (error instanceof RangeError) return rejected("invalid-body", `Line ${number + 1} of the batch is too long.`)
    throw error
  }
  return { ...bound, endpoint }
}

const LINE_FIELDS: ReadonlySet<string> = new Set(["custom_id", "method", "url", "body"])

/** The call in a line, as the provider would receive it at the host of the batch. */
function callOf(line: string, { origin }: URL, headers: Headers): ProviderCall | Rejection {
  const value = parseJson(line)
  const isCall = isRecord(value) && value.method === "POST" && isRecord(value.body)
  if (!isCall || typeof value.url !== "string" || !/^\/v1\/[\w/]+$/.test(value.url))
    return rejected(
      "invalid-body",
      'Expected JSON such as { "method": "POST", "url": "/v1/chat/completions", "body": {} }.',
    )
  // The file is sent unchanged, and parsers disagree about which of two values counts.
  const repeated = repeatedName(line)
  if (repeated !== undefined)
    return rejected("invalid-body", `The field ${shownField(repeated)} occurs twice in one object. Send it once.`)
  const unknown = Object.keys(value).find((name) => !LINE_FIELDS.has(name))
  if (unknown !== undefined) return unknownField(unknown, { place: "next to `body`" })
  return {
    method: "POST",
    url: new URL(value.url, origin),
    headers,
    body: { kind: "json", value: value.body as Record<string, unknown> },
  }
}

/** `endpoint`: the path of the calls before, if there are any. */
function boundOfCall(guard: Guard, call: ProviderCall, endpoint: string | undefined): BatchBound | Rejection {
  const { pathname } = call.url
  if (endpoint !== undefined && endpoint !== pathname)
    return rejected("invalid-body", "A batch has one endpoint. Send the calls of each endpoint in a separate batch.")
  // What the guard adds to a separate call is not in the file.
  const described = describeCall(call, { ...guard, serviceTier: undefined, maxToolCalls: undefined })
  if (described.status === "rejected") return described
  if (described.status === "priced") return boundInBatch(guard.prices, described)
  if (described.status === "free" && pathname === "/v1/moderations") return NO_CALLS
  return rejected("unknown-endpoint", "Only calls of models and moderations can run in a batch.")
}
