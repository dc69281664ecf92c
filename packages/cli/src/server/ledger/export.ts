import { createWriteStream } from "node:fs"
import { Readable, type Writable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { StoredEntry } from "@p2/budget"
import { InvalidArgumentError, P2Error, USAGE_COUNTS } from "@p2/core"
import { type StoreArguments, withLedger } from "./open-ledger"
import { readFilter, readInstant, type SubjectArguments } from "./subject-options"

export interface ExportArguments extends StoreArguments, SubjectArguments {
  format: string
  since?: string
  until?: string
  output?: string
}

/** `p2 export`: streams, so that a ledger of any size fits. */
export async function exportLedger(given: ExportArguments, stdout: Writable = process.stdout): Promise<void> {
  const now = Date.now()
  const { format, until, output } = given
  if (format !== "jsonl" && format !== "csv") throw new InvalidArgumentError("--format", "jsonl or csv", format)
  const to = until === undefined ? {} : { to: readInstant(until, "--until", now) }
  const filter = { ...readFilter(given, now), ...to }
  await withLedger(given, async ({ budget }) => {
    const lines = format === "csv" ? csvLines(budget.usage.export(filter)) : jsonLines(budget.usage.export(filter))
    // Only the user can read the file, because the ledger shows who called what.
    const target = output === undefined ? stdout : createWriteStream(output, { mode: 0o600, flags: "wx" })
    await pipeline(Readable.from(lines), target, { end: output !== undefined }).catch((error: unknown) => {
      // The reader of the output closed it, as `head` does.
      if (output === undefined && (error as NodeJS.ErrnoException).code === "EPIPE") return
      throw output === undefined ? error : fileError(error, output)
    })
  })
}

function fileError(error: unknown, output: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined || P2Error.isInstance(error)) return error
  const problem = code === "EEXIST" ? "The file exists" : `The file cannot be written (${code})`
  return new InvalidArgumentError(
    "--output",
    "a new file",
    undefined,
    `${problem}: ${output}. Choose another --output.`,
  )
}

/** An entry without the prompt and the answer that a program may have recorded. */
export function publicEntry(entry: StoredEntry): Omit<StoredEntry, "prompt" | "answer"> {
  const { prompt: _prompt, answer: _answer, ...shown } = entry
  return shown
}

async function* jsonLines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(publicEntry(JSON.parse(line) as StoredEntry))}\n`
}

/** RFC 4180: https://www.rfc-editor.org/rfc/rfc4180 */
async function* csvLines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  yield csvLine(COLUMNS.map(([title]) => title))
  for await (const line of lines) {
    const entry = JSON.parse(line) as StoredEntry
    yield csvLine(COLUMNS.map(([, read]) => read(entry)))
  }
}

type Field = string | number | boolean | undefined

const COLUMNS: readonly (readonly [title: string, read: (entry: StoredEntry) => Field])[] = [
  ["time", ({ at }) => new Date(at).toISOString()],
  ...(
    ["requestId", "attempt", "userId", "clientId", "provider", "model", "modelUsed", "mode", "status", "state"] as const
  ).map((name) => [name, (entry: StoredEntry): Field => entry[name]] as const),
  ["count", ({ count }) => count],
  ["errorCode", ({ errorCode }) => errorCode],
  ["reservedNanoUsd", ({ reservedNanoUsd }) => reservedNanoUsd],
  ["costNanoUsd", ({ costNanoUsd }) => costNanoUsd],
  ["costSource", ({ costSource }) => costSource],
  ["inDoubt", ({ inDoubt }) => inDoubt === true],
  ...USAGE_COUNTS.map((name) => [name, ({ tokens }: StoredEntry): Field => tokens[name]] as const),
  ["durationMs", ({ durationMs }) => durationMs],
  ["tags", ({ tags }) => (tags === undefined ? undefined : JSON.stringify(tags))],
]

function csvLine(fields: readonly Field[]): string {
  return `${fields.map(csvField).join(",")}\r\n`
}

/**
 * Spreadsheets run a field that begins with one of these as a formula, and callers choose users, tags and models.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
const FORMULA = /^[\s\u0000]*[=+\-@\uff1d\uff0b\uff0d\uff20|%]|^[\t\r\n]/

/** Control characters, which a terminal would interpret. */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g

function csvField(field: Field): string {
  if (field === undefined) return ""
  if (typeof field !== "string") return String(field)
  const plain = field.replace(CONTROL, "?")
  const safe = FORMULA.test(plain) ? `'${plain}` : plain
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
