import { isRecord } from "@p2/core"
import type { Meter } from "./meter"

type Fields = Readonly<Record<string, unknown>>

/** The content of one line of the output of a batch. */
export type BatchLine =
  /** The call was answered: the meter reads the usage of the answer. */
  | { status: "answered"; body: Fields; meter: Meter }
  /** The call is not billed: it failed, or it is free. `isAnswer`: it counts as completed. */
  | { status: "unbilled"; isAnswer: boolean }
  | { status: "unknown" }

/** The batches of one provider. */
export interface BatchFormat {
  hasEnded(batch: Fields): boolean
  /** The end was not a cancellation or an expiry. */
  isCompleted(batch: Fields): boolean
  /** The number of calls that were answered; undefined: the provider does not say. */
  answered(batch: Fields): number | undefined
  /** The URL of the output, from that of the poll; undefined: there is none. */
  outputURL(batch: Fields, pollURL: URL): string | undefined
  readLine(line: Fields, batch: Fields): BatchLine
}

export const UNKNOWN_LINE = { status: "unknown" } as const

/** A count of calls in a batch. */
export function countIn(counts: unknown, name: string): number | undefined {
  const count = isRecord(counts) ? counts[name] : undefined
  return typeof count === "number" ? count : undefined
}
