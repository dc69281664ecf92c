import { createPriceTable } from "@p2/pricing"
import {
  type CallDescription,
  describeCall,
  type PricedCall,
  type ProtocolContext,
  type ProviderCall,
  type RejectionReason,
} from "../../../src/protocols"
import { rejectionOf } from "../../../src/protocols/rejection"

/** A feature of a request, with an example that shows its effect. A row is a test and a row of the docs. */
export type Feature = {
  feature: string
  /** Fields that are added to the table's plain call. */
  body: Record<string, unknown>
  /** @defaultValue the endpoint of the table */
  endpoint?: string
  /** @defaultValue the model of the table */
  model?: string
  /** Options of the guard. */
  options?: Partial<ProtocolContext>
} & (
  | {
      bounded: string
      source: string
      /** The bound of the example compared with that of the plain call. */
      bound: "equal" | "higher" | "lower"
    }
  | { rejected: RejectionReason }
)

/** The features of one endpoint. */
export interface FeatureTable {
  title: string
  endpoint: string
  model: string
  /** The plain call. */
  body: Record<string, unknown>
  /** The body is a multipart form. @defaultValue false */
  isForm?: boolean
  rows: readonly Feature[]
}

export const context: ProtocolContext = {
  prices: createPriceTable({}, { extends: "published" }),
  deployments: { small: "gpt-4o-mini" },
}

/** A call with a multipart form. */
export function formCallTo(url: string, fields: Record<string, unknown>): ProviderCall {
  return { method: "POST", url: new URL(url), headers: new Headers(), body: { kind: "form", fields } }
}

export function callTo(url: string, value?: Record<string, unknown>, method = "POST"): ProviderCall {
  const body = value === undefined ? ({ kind: "none" } as const) : ({ kind: "json", value } as const)
  return { method, url: new URL(url), headers: new Headers(), body }
}

/** Describes the example of a row. */
export function describeRow(table: FeatureTable, row: Feature): CallDescription {
  const model = row.model ?? table.model
  const callOf = table.isForm ? formCallTo : callTo
  const call = callOf(row.endpoint ?? table.endpoint, { model, ...table.body, ...row.body })
  return describeCall(call, { ...context, ...row.options })
}

/** Describes the plain call with the endpoint and the model of a row. */
export function describePlain(table: FeatureTable, row: Feature): PricedCall {
  const description = describeRow(table, { ...row, body: {} })
  if (description.status !== "priced") throw new Error(`${row.feature}: ${JSON.stringify(description)}`)
  return description
}

/** The upper bound of a call in nano-USD. */
export function boundOf({ priceKey, input, maxOutputTokens, boundOptions }: PricedCall): number {
  return context.prices.upperBound(priceKey, { ...boundOptions, inputTokens: input.upperBound, maxOutputTokens })
    .nanoUsd
}

/** The rejection of a row: by the protocol, or by the prices. */
export function rejectionFor(table: FeatureTable, row: Feature): { reason: string; message: string } {
  const description = describeRow(table, row)
  if (description.status === "rejected") return description
  if (description.status !== "priced") throw new Error(`${row.feature} is ${description.status}`)
  try {
    boundOf(description)
  } catch (error) {
    return rejectionOf(error)
  }
  throw new Error(`${row.feature} is not rejected`)
}

/** The rows as Markdown. A rejection is shown with the guard's message. */
export function markdownOf(table: FeatureTable): string {
  const bounded = table.rows.flatMap((row) =>
    "bounded" in row ? [`| ${row.feature} | ${row.bounded} | ${row.source} |`] : [],
  )
  const rejected = table.rows.flatMap((row) => {
    if (!("rejected" in row)) return []
    return [`| ${row.feature} | ${rejectionFor(table, row).message.replaceAll("|", "\\|")} |`]
  })
  return [
    "| feature | bounded how | source |",
    "| --- | --- | --- |",
    ...bounded,
    "",
    "| feature | rejected with |",
    "| --- | --- |",
    ...rejected,
  ].join("\n")
}
