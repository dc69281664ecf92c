import type { GuardAttempt } from "@p2/guard"
import type { ProxyCaller } from "@p2/guard/proxy"
import { KEY_TAG } from "./keys/virtual-key"

/** Writes one event as a line of JSON. */
export type Log = (event: string, fields?: Readonly<Record<string, unknown>>) => void

/** A log on a stream. If the reader closes the stream, the server continues. */
export function createLog(stream: NodeJS.WritableStream, now: () => number = Date.now): Log {
  stream.on("error", () => {})
  return (event, fields = {}) => {
    stream.write(`${JSON.stringify({ time: new Date(now()).toISOString(), event, ...fields })}\n`)
  }
}

/** The fields of an attempt in the log: its subject and its cost, never a key, a prompt or an answer. */
export function attemptFields(attempt: GuardAttempt, { subject = {} }: ProxyCaller): Record<string, unknown> {
  const { limits: _, ...fields } = attempt
  const { [KEY_TAG]: key, ...tags } = subject.tags ?? {}
  return { key, user: subject.userId, client: subject.clientId, tags, ...fields }
}
